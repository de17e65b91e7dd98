"""Is the way from this machine to a call open, and good enough? Step by step, with reasons (quality.md section 8)."""
