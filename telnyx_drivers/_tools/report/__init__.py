"""A call as one HTML page: from a journal, a debug file, or a call report (`telnyx_drivers._tools.report.read`)."""
