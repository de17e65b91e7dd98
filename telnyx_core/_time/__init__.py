"""Timers and how long each one runs."""
