"""What the programs on the hosts say, a line each."""

import queue
import subprocess
import threading
import time

import pytest

PATIENCE = 30.0


class Words:
    """What a program says, as it says it."""

    def __init__(self, program: "subprocess.Popen[str]") -> None:
        self.heard: list[str] = []
        self._queue: queue.Queue[str | None] = queue.Queue()
        self._program = program
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._program.stdout is not None
        for line in self._program.stdout:
            self._queue.put(line.strip())
        self._queue.put(None)

    def until(self, word: str) -> str:
        """What stands after the word, once it has come; what came on the way is in ``heard``."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                said = self._queue.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                pytest.fail(f"no {word!r} within {PATIENCE:g} s, but {self.heard}")
            assert said is not None, f"the program ended without {word!r}: {self.heard}"
            first, _, rest = said.partition(" ")
            self.heard.append(said)
            if first == word:
                return rest
