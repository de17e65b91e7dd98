"""JSON-RPC frames: reading and writing them, and what in them is secret."""
