"""Starts worker processes on this machine, and is what runs in them."""

import pickle
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import spawn
from typing import cast

from telnyx_drivers._exceptions import TelnyxClientError
from telnyx_drivers.fleet.worker import Assignment, work


class Processes:
    """Workers as processes of this machine. They outlive the head: only `kill` and `close` end them.

    The methods may wait for a moment; they are called in a thread.
    """

    def __init__(self) -> None:
        self._running: dict[str, tuple[Assignment, subprocess.Popen[bytes]]] = {}

    def start(self, assignment: Assignment) -> None:
        # A session of its own: Ctrl-C in the terminal is the head's, which ends them one way or the other.
        process = subprocess.Popen(
            (sys.executable, "-c", "from telnyx_drivers.fleet.process import main; main()"),
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        self._running[assignment.owner] = (assignment, process)
        assert process.stdin is not None, "it was asked for"
        with suppress(BrokenPipeError), process.stdin:  # it has ended already, as `ended` tells
            # How the program that started this one finds its modules; as `multiprocessing` does it.
            found = spawn.get_preparation_data(assignment.owner)
            pickle.dump({name: value for name, value in found.items() if name != "authkey"}, process.stdin)
            pickle.dump(assignment, process.stdin)

    def ended(self) -> Sequence[Assignment]:
        """Those that have ended since the last time."""
        gone = [owner for owner, (_, process) in self._running.items() if process.poll() is not None]
        return [self._running.pop(owner)[0] for owner in gone]

    def kill(self, owner: str) -> None:
        """End it at once; `ended` tells when it has."""
        if owner in self._running:
            self._running[owner][1].kill()

    def close(self, *, for_good: bool) -> None:
        """Kill those that are left. Whether the fleet is over makes no difference here."""
        for _, process in self._running.values():
            process.kill()
        for _, process in self._running.values():
            process.wait()
        self._running.clear()


def main() -> None:
    """Read the assignment from standard input, and work."""
    spawn.prepare(pickle.load(sys.stdin.buffer))  # noqa: S301  # from the head, through a pipe
    assignment = cast("Assignment", pickle.load(sys.stdin.buffer))  # noqa: S301
    try:
        work(assignment)
    except TelnyxClientError as error:
        sys.exit(f"worker {assignment.owner}: {error}")
