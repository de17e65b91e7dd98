"""Watching a call: readings, alarms, summaries, and when a report of it is due."""
