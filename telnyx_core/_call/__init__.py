"""One call: its dialog, its media path, its hold, its microphone and its end."""
