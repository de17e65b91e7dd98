"""What the server does that nobody outside it knows: a few calls that ask, and a bundle that answers."""
