"""The sample is a project of its own: `test_plugin.py` runs it in another process."""

collect_ignore = ["sample"]
