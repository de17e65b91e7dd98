"""A client with two addresses and a server that is 40 ms away, there and back, in network namespaces."""

import contextlib
import subprocess
from collections.abc import Iterator

from attrs import define

from tests.network.namespaces import FAR, Host, cable, stop
from tests.network.words import Words

OTHER_NEAR, OTHER_FAR = "10.203.8.2", "10.203.8.1"


@define
class Roaming:
    near: Host
    client: "subprocess.Popen[str]"
    gateway: "subprocess.Popen[str]"
    words: Words

    def order(self, word: str) -> None:
        tell(self.client, word)

    def call(self, word: str) -> float:
        """``out``, ``in`` or ``stay``: seconds from active to the first echo."""
        self.order(word)
        if word == "in":
            self.words.until("ring")
            tell(self.gateway, "ring")
        return float(self.words.until("heard"))

    def lose_the_path(self) -> tuple[str, float]:
        """A call loses the address that carries it. Which one that was, and for how long nothing was heard."""
        self.call("stay")
        address = self.words.until("carries")
        self.order("gap")
        self.near.loses(address)
        seconds, state = self.words.until("gap").split()
        assert state in ("active", "recovering"), state
        self.near.has(address)
        return address, float(seconds)


def tell(program: "subprocess.Popen[str]", word: str) -> None:
    assert program.stdin is not None
    program.stdin.write(f"{word}\n")
    program.stdin.flush()


@contextlib.contextmanager
def roaming(*, keep: bool) -> Iterator[Roaming]:
    """``keep``: the option ``keep_connection_alive_on_socket_close``."""
    with cable() as (near, far), contextlib.ExitStack() as programs:
        near.has(OTHER_NEAR)
        far.has(OTHER_FAR)
        near.routes("10.203.7.0", OTHER_FAR)
        gateway = far.run("tests.network.roaming_far_end", FAR)
        programs.callback(stop, gateway)
        url = Words(gateway).until("url")
        client = near.run("tests.network.roaming_near_end", url, "keep" if keep else "replace")
        programs.callback(stop, client)
        words = Words(client)
        words.until("ready")
        yield Roaming(near, client, gateway, words)
