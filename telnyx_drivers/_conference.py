"""Calls that hear each other on this machine: two of them, or a conference.

Their audio meets here and nowhere else: the server knows nothing of it, and the calls may be of different clients.
"""

from collections.abc import Callable
from threading import Lock
from types import TracebackType
from typing import Final, Self, TypeAlias

import numpy as np
from attrs import define, field
from numpy.typing import NDArray

from telnyx_drivers._arguments import checked_with, having, number
from telnyx_drivers._audio.audio_patch import AudioPatch
from telnyx_drivers._audio.frames import Samples
from telnyx_drivers._audio.pcm import to_int16
from telnyx_drivers._audio.tones import Tone
from telnyx_drivers._blocking import Relayed, audio_of
from telnyx_drivers._calls import CallHandle
from telnyx_drivers._webrtc.call_audio import CallAudio

AnyCall: TypeAlias = CallHandle | Relayed[CallHandle, object]
"""A call of a client with or without ``async``."""

MOST_CALLS: Final = 32
"""In one conference. Each call listens to each other one: the work grows with the square of their number."""
HIGHEST_GAIN: Final = 8.0
"""18 dB: more would lift the noise of a line to speech."""
_JOIN: Final = (880.0, 0.15, 0.1)
"""Hertz, seconds and level of the tone that is heard when a call joins."""


_CALL: Final = having("a call", "wait_ended", "hangup")
_GAIN: Final = number(0, HIGHEST_GAIN)


class Bridge:
    """Two calls that hear each other until either ends, or `close`; with ``with``, until the end of the block."""

    def __init__(self, end: Callable[[], None]) -> None:
        self._end = end

    def close(self) -> None:
        """They hear each other no more; both calls continue. Idempotent."""
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


@checked_with(call_a=_CALL, call_b=_CALL)
def bridge(call_a: AnyCall, call_b: AnyCall) -> Bridge:
    """Let two calls hear each other, with no more delay than the beat of the clock, 20 ms.

    ``with bridge(caller, agent): ...`` does so until the end of the block. What each of them plays or writes besides is
    heard as before. Raises `MediaUnavailable`, `InvalidCallState` for a call that has ended, ``ValueError`` for a call
    with itself.
    """
    one, other = audio_of(call_a), audio_of(call_b)
    if one is other:
        raise ValueError("a call cannot be bridged with itself")
    return Bridge(one.connect(other))


@define(eq=False)
class _Member:
    """One call of a conference: what it hears of the others, as an `AudioInput` of its own."""

    audio: CallAudio
    gain: float
    others: dict["_Member", AudioPatch] = field(factory=dict["_Member", AudioPatch])
    """What each of the others said, and this one has not heard yet."""
    ends: dict["_Member", Callable[[], None]] = field(factory=dict["_Member", Callable[[], None]])
    closed: bool = False
    error: None = None

    @property
    def ended(self) -> bool:
        return self.closed

    def read(self, rate: int) -> Samples | None:
        """The sum of the others, each with its gain, rounded and saturated once."""
        total: NDArray[np.float64] | None = None
        for other, patch in list(self.others.items()):
            samples = patch.read(rate)
            if samples is not None:
                part = samples.astype(np.float64) * other.gain
                total = part if total is None else total + part
        return None if total is None else to_int16(total)

    def close(self) -> None:
        self.closed = True


class Conference:
    """Calls that all hear each other: each hears the sum of the others, and not itself.

    Calls join and leave at any time, from any thread; one that ends has left. With ``join_tone`` all of them hear a
    short tone when a call joins. ``with Conference():`` closes it at the end of the block. ::

        conference = Conference()
        conference.add(call)
        conference.add(await client.new_call("+15551230000"), gain=1.5)
    """

    def __init__(self, *, join_tone: bool = True) -> None:
        self._join_tone = join_tone
        self._members: dict[CallAudio, _Member] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        """How many calls take part."""
        with self._lock:
            self._forget_ended()
            return len(self._members)

    @checked_with(call=_CALL, gain=_GAIN)
    def add(self, call: AnyCall, *, gain: float = 1.0) -> None:
        """Let a call take part. The others hear it ``gain`` times as loud, 0 to 8; 0: it only listens.

        Raises `MediaUnavailable`, `InvalidCallState` for a call that has ended, and ``ValueError`` for one that takes
        part already, and for more than 32.
        """
        member = _Member(audio_of(call), gain)
        with self._lock:
            self._forget_ended()
            if member.audio in self._members:
                raise ValueError("the call takes part already")
            if len(self._members) >= MOST_CALLS:
                raise ValueError(f"a conference has at most {MOST_CALLS} calls")
            for other in self._members.values():
                _couple(member, other)
                _couple(other, member)
            self._members[member.audio] = member
            audios = list(self._members)
        member.audio.add_voice(member)
        if self._join_tone:
            frequency, duration, level = _JOIN
            for audio in audios:
                audio.add_voice(Tone(frequency, duration=duration, level=level))

    @checked_with(call=_CALL, gain=_GAIN)
    def set_gain(self, call: AnyCall, gain: float) -> None:
        """How loud the others hear a call, from now on. Raises ``LookupError`` for one that does not take part."""
        audio = audio_of(call)
        with self._lock:
            if audio not in self._members:
                raise LookupError("the call does not take part")
            self._members[audio].gain = gain

    @checked_with(call=_CALL)
    def remove(self, call: AnyCall) -> None:
        """A call leaves and continues alone. Idempotent; nothing happens for one that does not take part."""
        audio = audio_of(call)
        with self._lock:
            self._leave(audio)

    def close(self) -> None:
        """All leave; their calls continue. Idempotent."""
        with self._lock:
            for audio in list(self._members):
                self._leave(audio)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _forget_ended(self) -> None:
        for audio in [each for each in self._members if each.closed]:
            self._leave(audio)

    def _leave(self, audio: CallAudio) -> None:
        member = self._members.pop(audio, None)
        if member is None:
            return
        member.close()
        for other in self._members.values():
            _part(member, other)
            _part(other, member)


def _couple(hearer: _Member, speaker: _Member) -> None:
    patch = hearer.others[speaker] = AudioPatch()
    hearer.ends[speaker] = speaker.audio.pass_on(patch)


def _part(hearer: _Member, speaker: _Member) -> None:
    hearer.ends.pop(speaker)()
    del hearer.others[speaker]
