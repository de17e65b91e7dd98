"""Draws a desk in this terminal and hands its keys over, until it is told to end."""

import asyncio
import os
import sys
import termios
import tty
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.live import Live

from telnyx_core._wire.json_types import JsonView
from telnyx_drivers._tools.watch.desk import Desk
from telnyx_drivers._tools.watch.keys import Keys
from telnyx_drivers._tools.watch.screen import screen

EVERY: Final = 0.1
"""Seconds between two pictures."""


class Terminal:
    """The pictures and the keys of one desk."""

    def __init__(self, desk: Desk, console: Console, *, dials: bool) -> None:
        self._desk = desk
        self._console = console
        self._keys = Keys(dials=dials)
        self._doing: set[asyncio.Task[None]] = set()
        self._said = ""

    def tell(self, said: str) -> None:
        """The newest word on what was done."""
        self._said = said

    async def run(self) -> None:
        """Until it is told to end."""
        with _keyboard() as file, Live(console=self._console, screen=True, auto_refresh=False) as live:
            loop = asyncio.get_running_loop()
            loop.add_reader(file, self._read, file)
            try:
                while not self._keys.over:
                    live.update(screen(self._desk.snapshot(), self._keys, self._said), refresh=True)
                    await asyncio.sleep(EVERY)
            finally:
                loop.remove_reader(file)
                for task in self._doing:
                    task.cancel()
                await asyncio.gather(*self._doing, return_exceptions=True)

    def _read(self, file: int) -> None:
        text = os.read(file, 256).decode(errors="replace")
        keys = [text] if text.startswith("\x1b") else list(text)
        for key in keys or ["q"]:  # nothing: the terminal is gone
            command = self._keys.press(key, self._desk.snapshot())
            if command is not None:
                task = asyncio.create_task(self._do(command))
                self._doing.add(task)
                task.add_done_callback(self._doing.discard)

    async def _do(self, command: JsonView) -> None:
        self._said = await self._desk.do(command) or self._said


@contextmanager
def _keyboard() -> Generator[int, None, None]:
    """Standard input, key by key."""
    file = sys.stdin.fileno()
    before = termios.tcgetattr(file)
    tty.setcbreak(file)
    try:
        yield file
    finally:
        termios.tcsetattr(file, termios.TCSADRAIN, before)
