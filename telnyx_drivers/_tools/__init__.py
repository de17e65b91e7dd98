"""The command line, the report page, the proof and exports."""
