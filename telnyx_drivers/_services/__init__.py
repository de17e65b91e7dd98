"""The driver's services for a session: reports, recordings, tones, tokens, storage."""
