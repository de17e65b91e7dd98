"""A program: the command line, with an embedded gateway that is 40 ms away, there and back: loopback hides much."""

from telnyx_drivers._tools.cli.app import app
from telnyx_drivers.gateway import server

DELAY = 0.02
"""Seconds, each way."""

if __name__ == "__main__":
    near = server._engine_for
    server._engine_for = lambda host, delay, *more: near(host, DELAY, *more)
    app()
