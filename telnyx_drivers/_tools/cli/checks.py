"""What a call must be to count as a good one."""

from typing import TYPE_CHECKING, Final

from attrs import define, frozen

from telnyx_core.catalogue import ERRORS, WARNINGS
from telnyx_drivers._tools.cli.exits import UsageError

if TYPE_CHECKING:
    from telnyx_drivers._audio.frames import Samples

_AUDIBLE: Final = 164
"""Of 32,768: a peak of -46 dB. The quietest speech is far above it, the noise of codecs and comfort noise far below."""


@frozen(kw_only=True)
class Checks:
    expect_audio: bool = False
    """The far end must be heard; without it, only when nothing was said to it either."""
    min_mos: float | None = None
    max_setup: float | None = None
    """Seconds."""
    fail_on: frozenset[int] = frozenset()
    """Codes of the catalogue."""


@define
class Loudness:
    """What is audible of a call, in each direction. Implements `SampleTap`."""

    heard_anything: bool = False
    sent_anything: bool = False
    ended: bool = False

    def sent(self, samples: "Samples", rate: int, at: int) -> None:
        self.sent_anything = self.sent_anything or audible(samples)

    def heard(self, samples: "Samples", rate: int, at: int) -> None:
        self.heard_anything = self.heard_anything or audible(samples)

    def close(self) -> None:
        self.ended = True


def audible(samples: "Samples") -> bool:
    return samples.size > 0 and max(int(samples.max()), -int(samples.min())) > _AUDIBLE


def parse_codes(texts: list[str]) -> frozenset[int]:
    """Codes or names from the catalogue of errors and warnings."""
    return frozenset(map(_code, texts))


def name_of_code(code: int) -> str:
    return _NAMES.get(code, "")


def _code(text: str) -> int:
    for code, name in _NAMES.items():
        if text.upper() in (str(code), name):
            return code
    raise UsageError(f"--fail-on {text!r}: the catalogue has no such code or name.")


_NAMES: Final[dict[int, str]] = {code.value: code.name for codes in (ERRORS, WARNINGS) for code in codes}
