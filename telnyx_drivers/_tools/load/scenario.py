"""What each call of a load does: lines of a file, one step a line."""

import asyncio
from pathlib import Path
from typing import Final, TypeAlias, assert_never

from attrs import frozen

from telnyx_drivers._calls import CallHandle

_DIGITS: Final = frozenset("0123456789ABCDabcd*#,wW")
_MOST: Final = 1_000
"""Steps of one scenario."""


@frozen
class Play:
    file: str


@frozen
class Wait:
    seconds: float


@frozen
class Digits:
    digits: str


@frozen
class HangUp:
    pass


Step: TypeAlias = Play | Wait | Digits | HangUp
DEFAULT: Final[tuple[Step, ...]] = (Wait(5.0), HangUp())


def parse(text: str, folder: Path = Path()) -> tuple[Step, ...]:
    """``play FILE``, ``wait SECONDS``, ``digits 12#`` and ``hangup``; empty lines and those after ``#`` are none.

    Files are looked for in ``folder``. Raises ``ValueError``, which names the line.
    """
    steps: list[Step] = []
    for number, line in enumerate(text.splitlines(), 1):
        word, _, rest = line.strip().partition(" ")
        if not word or word.startswith("#"):
            continue
        try:
            steps.append(_step(word, rest.strip(), folder))
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
    if not steps:
        raise ValueError("there is no step in it")
    if len(steps) > _MOST:
        raise ValueError(f"more than {_MOST} steps")
    return tuple(steps)


def _step(word: str, rest: str, folder: Path) -> Step:
    match word, rest:
        case "play", file if file:
            path = folder / file
            if not path.is_file():
                raise ValueError(f"there is no file {path}")
            return Play(str(path))
        case "wait", seconds:
            value = float(seconds)
            if not 0 <= value <= 86_400:
                raise ValueError(f"wait takes 0 to 86400 seconds, not {seconds}")
            return Wait(value)
        case "digits", digits if digits and _DIGITS.issuperset(digits):
            return Digits(digits)
        case "hangup", "":
            return HangUp()
        case _:
            raise ValueError(f"{word!r} is not play FILE, wait SECONDS, digits DIGITS or hangup")


async def perform(steps: tuple[Step, ...], call: CallHandle) -> None:
    """On an active call, which the far end may end at any time. Does not hang up."""
    for step in steps:
        match step:
            case Play(file):
                await (await call.play(file)).wait()
            case Wait(seconds):
                await asyncio.sleep(seconds)
            case Digits(digits):
                await call.dtmf(digits)
            case HangUp():
                return
            case _:
                assert_never(step)
