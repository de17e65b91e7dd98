"""Looking at a client's calls in a terminal, and handling them by keys: here, or in another process."""
