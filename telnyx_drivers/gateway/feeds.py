"""What the client of each call hears: tones, its own voice, another call, or nothing."""

from collections.abc import Callable
from typing import TypeAlias, assert_never

from telnyx_core.gateway.actions import Echo, FromCall, Silence, Source, ToneName
from telnyx_core.gateway.actions import Tone as ToneSource
from telnyx_core.ids import CallId
from telnyx_drivers._audio.tones import Tone
from telnyx_drivers._webrtc.ports import MediaEngine

End: TypeAlias = Callable[[], None]


def tone(name: ToneName) -> Tone:
    """A fresh voice: 1 kHz, North American ringback, or two notes that cannot be taken for speech."""
    match name:
        case "tone":
            return Tone(1000.0)
        case "ringback":
            return Tone(440.0, 480.0, level=0.15, cadence=(2.0, 4.0))
        case "hold_music":
            return Tone(392.0, 523.25, level=0.1, cadence=(0.6, 0.9))


class Feeds:
    """Performs `Feed` and `ReleaseCall` on the audio that an engine keeps for each call."""

    def __init__(self, engine: MediaEngine) -> None:
        self._engine = engine
        self._ends: dict[CallId, End] = {}

    def feed(self, call: CallId, source: Source) -> None:
        self._end(call)
        audio = self._engine.audio(call)
        match source:
            case ToneSource(name=name):
                voice = tone(name)
                audio.add_voice(voice)
                self._ends[call] = voice.close
            case Echo():
                self._ends[call] = audio.couple_to(audio)
            case FromCall(call=other):
                self._ends[call] = self._engine.audio(other).couple_to(audio)
            case Silence():
                pass
            case _:
                assert_never(source)

    def release(self, call: CallId) -> None:
        self._end(call)
        self._engine.release(call)

    def _end(self, call: CallId) -> None:
        end = self._ends.pop(call, None)
        if end is not None:
            end()
