"""What the driver carries for a session: reports, recordings, tones, tokens, storage."""
