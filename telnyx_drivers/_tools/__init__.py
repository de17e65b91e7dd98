"""The tools: the command line, the report page, the measurement of the server, and exports."""
