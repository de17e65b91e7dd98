"""A call survives the client's address changing: for real, in two network namespaces (issue: ICE and the network)."""

import queue
import subprocess
import threading
import time

import pytest

from tests.network.namespaces import FAR, NEAR, cable, stop

pytestmark = [pytest.mark.media, pytest.mark.slow]

NEW = "10.203.7.3"


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

    def until(self, word: str, seconds: float) -> float:
        """When the word has come; what came on the way is in ``heard``."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                said = self._queue.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                pytest.fail(f"no {word!r} within {seconds} s, but {self.heard}")
            assert said is not None, f"the program ended without {word!r}: {self.heard}"
            self.heard.append(said)
            if said == word:
                return time.monotonic()


@pytest.mark.parametrize("keep", ["keep", "replace"])
def test_a_call_survives_the_change_of_the_clients_address(keep: str) -> None:
    """SIG-272, SIG-273, MEDIA-230, CALL-530: the old address goes, a second later another one comes."""
    with cable() as (near, far):
        gateway = far.run("tests.network.far_end", FAR)
        program: subprocess.Popen[str] | None = None
        try:
            assert gateway.stdout is not None
            program = near.run("tests.network.near_end", gateway.stdout.readline().strip(), keep)
            words = Words(program)
            words.until("hearing", 20)
            near.loses(NEAR)
            time.sleep(1.0)
            near.has(NEW)
            changed = time.monotonic()
            words.until("recovering", 10)
            words.until("active", 20)
            back = words.until("hearing", 20)
            assert "silence" in words.heard, "the test itself: the change of address was not felt"
            assert program.stdin is not None
            program.stdin.close()
            words.until("NORMAL_CLEARING", 10)
            assert program.wait(10) == 0
            print(f"heard again {back - changed:.1f} s after the new address")
        finally:
            for each in (program, gateway):
                if each is not None:
                    stop(each)
