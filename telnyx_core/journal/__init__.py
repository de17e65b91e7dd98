"""The journal: a session as JSON lines, and the session that reads them back."""
