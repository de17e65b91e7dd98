"""What is uploaded and written about calls: segments of the call report, the debug timeline, the log."""
