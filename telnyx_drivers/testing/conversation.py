"""What a scripted caller heard and measured, and the assertions that a test makes about it."""

import os
from pathlib import Path
from typing import Final

from attrs import field, frozen

from telnyx_core.events import Cause
from telnyx_core.ids import CallId
from telnyx_drivers._audio.frames import Samples
from telnyx_drivers._audio.resampler import Resampler
from telnyx_drivers._audio.turns import Turn
from telnyx_drivers._webrtc.measure import match
from telnyx_drivers.diagnose.echo import audible_seconds, read_wav

RATE: Final = 16_000
"""Samples per second of what was heard."""


@frozen(kw_only=True)
class Conversation:
    """One call, as the caller lived it. In `turns` the caller is ``local`` and the bot ``remote``."""

    call: CallId
    """The call's id, the same at both ends."""
    heard: Samples = field(repr=False, eq=False)
    """What the bot said: mono, 16 bit, 16,000 samples per second, from the moment the media was connected."""
    digits: str
    """The keys that the bot pressed."""
    turns: tuple[Turn, ...]
    """Who spoke when, in seconds since the call's first frame."""
    ended: Cause
    """Why the call ended."""
    hung_up_by: str
    """``client``: the bot; ``far_end``: the caller; ``gateway``: neither, but a limit or a fault."""
    loss: float | None
    """Percent of the bot's packets that did not arrive."""
    jitter: float | None
    """Of what arrived, milliseconds."""
    rtt: float | None
    """Round trip time, milliseconds."""
    mos: float | None
    """Estimated mean opinion score of what the caller heard, 1 to 5."""
    recording: Path | None = None
    """A stereo WAV file, left the caller and right the bot; where artifacts were asked for."""
    journal: Path | None = None
    """The bot's session, for ``telnyx-rtc replay`` and ``report``; where the bot was served here."""

    @property
    def responses(self) -> tuple[float, ...]:
        """Seconds that the caller waited for each answer of the bot."""
        return tuple(each.response for each in self.turns if each.who == "remote" and each.response is not None)

    @property
    def barge_ins(self) -> tuple[float | None, ...]:
        """For each time that the caller interrupted: seconds until the bot fell silent; ``None``: it spoke on."""
        return tuple(each.barge_in for each in self.turns if each.who == "local" and each.interrupts)

    def likeness(self, file: str | os.PathLike[str]) -> float:
        """How like a WAV file the most similar part of what was heard is: 0 to 1."""
        rate, columns = read_wav(Path(file))
        wanted = columns.mean(axis=1)  # as it is played
        if rate != RATE:
            wanted = Resampler(rate, RATE).process(wanted)
        return 0.0 if not self.heard.size else max(match(wanted, self.heard, RATE).correlation, 0.0)

    def assert_heard(
        self, file: str | os.PathLike[str] | None = None, *, seconds: float = 0.2, likeness: float = 0.8
    ) -> None:
        """The bot was audible for so many seconds, or said what the WAV file holds."""
        if file is None:
            audible = audible_seconds(self.heard, RATE)
            assert audible >= seconds, f"the bot was audible for {audible:.2f} s, not {seconds:g} s: {self}"
        else:
            found = self.likeness(file)
            assert found >= likeness, f"what was heard is like {file} to {found:.2f}, not {likeness:g}: {self}"

    def assert_silent(self) -> None:
        """The bot said nothing."""
        audible = audible_seconds(self.heard, RATE)
        assert not audible, f"the bot was audible for {audible:.2f} s: {self}"

    def assert_digits(self, digits: str) -> None:
        """The bot pressed exactly these keys."""
        assert self.digits == digits, f"the bot pressed {self.digits!r}, not {digits!r}: {self}"

    def assert_answers_within(self, seconds: float) -> None:
        """Each answer of the bot came in this time, and there was one."""
        waited = self.responses
        assert waited, f"the bot answered nothing that the caller said: {self}"
        assert max(waited) <= seconds, f"the bot answered after {_listed(waited)} s, not within {seconds:g} s: {self}"

    def assert_yields_within(self, seconds: float) -> None:
        """Interrupted, the bot fell silent in this time, and it was interrupted at all."""
        found = self.barge_ins
        assert found, f"the caller interrupted nothing: {self}"
        stopped = tuple(each for each in found if each is not None)
        assert len(stopped) == len(found), f"the bot spoke on over the caller: {self}"
        assert max(stopped) <= seconds, f"the bot fell silent after {_listed(stopped)} s, not {seconds:g} s: {self}"

    def assert_quality(self, *, mos: float = 4.0, loss: float | None = None) -> None:
        """What the caller heard was this good: an estimated opinion score, and at most so many percent of loss."""
        assert self.mos is not None, f"the quality is not known: {self}"
        assert self.mos >= mos, f"the quality (MOS) was {self.mos:.2f}, not {mos:g}: {self}"
        if loss is not None:
            assert self.loss is not None, f"the loss is not known: {self}"
            assert self.loss <= loss, f"{self.loss:.1f} % of the bot's packets were lost, not {loss:g} %: {self}"


def _listed(values: tuple[float, ...]) -> str:
    return ", ".join(f"{each:.2f}" for each in values)
