"""The live view: what keys mean, what is shown, who may attach, and both commands driven in a real terminal."""

import asyncio
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from telnyx_core.gateway.events import CallEnded, CallHeld, ClientLoggedIn, DigitsReceived
from telnyx_drivers._tools.watch.keys import Keys
from telnyx_drivers._tools.watch.private_socket import attached, offered
from telnyx_drivers._tools.watch.screen import screen
from telnyx_drivers.gateway import Gateway, GatewayThread

ROOT = Path(__file__).parents[2]


def call(ident: str, **members: Any) -> dict[str, Any]:
    return {"id": ident, "direction": "inbound", "far_end": "+1555", "state": "active", **members}


TWO: dict[str, Any] = {"state": "ready", "calls": [call("a"), call("b")], "remarks": []}


def test_keys_are_for_the_chosen_call() -> None:
    keys = Keys()
    assert keys.press("h", TWO) == {"do": "hangup", "call": "a"}
    assert keys.press("j", TWO) is None
    assert keys.press("m", TWO) == {"do": "mute", "call": "b"}
    assert keys.press("\x1b[B", TWO) is None, "there is none below"
    assert keys.press("5", TWO) == {"do": "digits", "call": "b", "digits": "5"}
    assert keys.press("h", {**TWO, "calls": [call("a")]}) == {"do": "hangup", "call": "a"}, "b has gone meanwhile"
    assert keys.press("h", {**TWO, "calls": []}) is None
    assert keys.press("d", TWO) is None
    assert keys.number is None, "a watcher does not dial"
    assert not keys.over
    keys.press("q", TWO)
    assert keys.over


def test_a_number_is_typed_and_dialled() -> None:
    keys = Keys(dials=True)
    for key in ("d", "+", "1", "q", "\x7f", "5"):
        assert keys.press(key, TWO) is None
    assert keys.number == "+15"
    assert keys.press("\r", TWO) == {"do": "dial", "number": "+15"}
    assert keys.number is None
    for key in ("d", "1", "\x1b"):
        keys.press(key, TWO)
    assert keys.number is None
    assert not keys.over


def drawn(snapshot: dict[str, Any], keys: Keys, said: str = "") -> str:
    console = Console(record=True, width=100, file=open(os.devnull, "w"))  # noqa: SIM115
    with console.file:
        console.print(screen(snapshot, keys, said))
        return console.export_text()


def test_what_is_shown() -> None:
    figures = {"seconds": 75.2, "mos": 4.27, "loss": 1.5, "jitter": 12.4, "muted": True, "sent": 0.2, "heard": 0.0}
    told = ("ready", "← +1555", "active", "1:15", "4.27", "1.5 %", "12 ms", "muted", "LOW_MOS", "Dial: 12", "Muted.")
    text = drawn({**TWO, "calls": [call("a", **figures)], "remarks": ["31004 LOW_MOS"]}, Keys(number="12"), "Muted.")
    for piece in told:
        assert piece in text, piece
    assert "No calls." in drawn({"state": "idle"}, Keys())


def test_nothing_foreign_moves_the_cursor() -> None:
    evil = "\x1b[2J[red]x"
    text = drawn({**TWO, "calls": [call("a", far_end=evil, state=evil)], "remarks": [evil]}, Keys(), evil)
    assert "\x1b" not in text
    assert "[red]x" in text


class Desk:
    """Counts up, and repeats what it is told."""

    def __init__(self) -> None:
        self.looks = 0

    def snapshot(self) -> dict[str, Any]:
        self.looks += 1
        return {"state": str(self.looks), "calls": [], "remarks": []}

    async def do(self, command: Any) -> str:
        return json.dumps(command)


@pytest.mark.net
def test_only_its_owner_can_attach_and_both_ways_work(tmp_path: Path) -> None:
    path = tmp_path / "desk"

    async def story() -> list[str]:
        said: list[str] = []
        heard = asyncio.Event()
        async with offered(Desk(), path):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            with pytest.raises(FileExistsError, match="in use"):
                async with offered(Desk(), path):
                    pass
            async with attached(path) as desk:
                desk.tell = lambda text: (said.append(text), heard.set())[0]
                running = asyncio.create_task(desk.run())
                await desk.do({"do": "mute", "call": "a"})
                await asyncio.wait_for(heard.wait(), 20)
                while desk.snapshot()["state"] == "connecting":  # noqa: ASYNC110
                    await asyncio.sleep(0)
                reader, writer = await asyncio.open_unix_connection(str(path))
                writer.write(b"[not an object\n" + b"x" * 10_000 + b"\n")
                while await reader.readline():
                    pass
                writer.close()
            await asyncio.wait_for(running, 20)
        assert not path.exists()
        return said

    assert asyncio.run(story()) == ['{"do": "mute", "call": "a"}']


@pytest.mark.net
def test_what_a_dead_process_left_is_replaced_and_a_file_is_not(tmp_path: Path) -> None:
    async def story(path: Path) -> None:
        async with offered(Desk(), path), attached(path) as desk:
            running = asyncio.create_task(desk.run())
            while desk.snapshot()["state"] == "connecting":  # noqa: ASYNC110
                await asyncio.sleep(0)
            running.cancel()

    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead"))
    asyncio.run(story(tmp_path / "dead"))
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(FileExistsError, match="no socket"):
        asyncio.run(story(tmp_path / "file"))
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"


class Tmux:
    """A terminal with programs in it, on a tmux server of its own."""

    def __init__(self, folder: Path) -> None:
        self._base = ["tmux", "-S", str(folder / "tmux"), "-f", os.devnull]
        self._folder = folder

    def start(self, name: str, *command: str, environment: dict[str, str]) -> None:
        given = [each for pair in environment.items() for each in ("-e", "=".join(pair))]
        size = ["-x", "110", "-y", "24"]
        self._do(
            "new-session",
            "-d",
            "-s",
            name,
            *size,
            "-c",
            str(ROOT),
            *given,
            sys.executable,
            "-m",
            "telnyx_drivers",
            *command,
        )

    def keys(self, name: str, *keys: str) -> None:
        self._do("send-keys", "-t", name, *keys)

    def until(self, name: str, *pieces: str) -> str:
        """The screen, once all of this stands on it."""
        until, text = time.monotonic() + 60, ""
        while time.monotonic() < until:
            text = self._do("capture-pane", "-p", "-t", name)
            if all(piece in text for piece in pieces):
                return text
            time.sleep(0.1)
        raise AssertionError(f"{pieces} not on the screen:\n{text}")

    def _do(self, *arguments: str) -> str:
        done = subprocess.run([*self._base, *arguments], capture_output=True, text=True, check=True, timeout=20)
        return done.stdout

    def end(self) -> None:
        subprocess.run([*self._base, "kill-server"], capture_output=True, check=False, timeout=20)


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    made = Tmux(tmp_path)
    yield made
    made.end()


needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")


@pytest.mark.net
@pytest.mark.media
@pytest.mark.slow
@needs_tmux
def test_both_commands_in_a_terminal(tmux: Tmux, tmp_path: Path) -> None:
    users = {"alice": "pw-of-alice", "bob": "pw-of-bob"}

    def environment(user: str, url: str) -> dict[str, str]:
        return {"TELNYX_SIP_USERNAME": user, "TELNYX_SIP_PASSWORD": users[user], "TELNYX_RTC_URL": url, "TERM": "xterm"}

    with GatewayThread(lambda: Gateway(users=users)) as gateway:
        path = str(tmp_path / "desk")
        tmux.start(
            "listen",
            "listen",
            "--record-dir",
            str(tmp_path),
            "--socket",
            path,
            environment=environment("alice", gateway.url),
        )
        gateway.wait_for(ClientLoggedIn, timeout=60)
        tmux.start("phone", "phone", environment=environment("bob", gateway.url))
        tmux.until("phone", "No calls.", "d dial")
        tmux.keys("phone", "d", "a", "l", "i", "c", "e", "Enter")
        tmux.until("phone", "→ alice", "active")
        tmux.start("watch", "watch", path, environment=environment("alice", gateway.url))
        tmux.until("watch", "ready", "←", "active", "h hang up")
        tmux.keys("watch", "m")
        tmux.until("watch", "Muted.", " muted")
        tmux.keys("phone", "5")
        assert gateway.wait_for(DigitsReceived, timeout=60).digits == "5"
        tmux.keys("phone", "o")
        gateway.wait_for(CallHeld, timeout=60)
        tmux.until("phone", "held")
        tmux.keys("watch", "h")
        assert gateway.wait_for(CallEnded, timeout=60).by == "client"
        tmux.until("watch", "No calls.")
        tmux.until("phone", "No calls.")
        tmux.keys("phone", "q")
        tmux.keys("listen", "C-c")
