"""Measuring the server: a few test calls show how it behaves where its behaviour is not documented."""
