"""Audio sources that calls open by name: microphones, files, whatever an application registers."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

from attrs import frozen

from telnyx_core._wire.json_types import Json
from telnyx_core.facts import SourceFault
from telnyx_drivers._audio.audio_devices import DEFAULT as DEFAULT
from telnyx_drivers._audio.audio_input import AudioInput


@frozen
class Source:
    """An open source: what is mixed into the call, and its name. ``voice`` is closed with the call's last peer."""

    voice: AudioInput | None
    """What is asked for samples."""
    label: str
    """Its name, as it is shown."""


SourceFactory: TypeAlias = Callable[[Mapping[str, Json]], Awaitable[Source]]
"""Opens a source under a call's audio constraints. What it raises is judged by `fault_of`."""


class MediaAccessError(Exception):
    """Raised by source factories that know which fault it is."""

    def __init__(self, fault: SourceFault, reason: str) -> None:
        super().__init__(reason)
        self.fault: SourceFault = fault


SILENCE: Final = Source(None, "silence")
"""Where nothing is registered as `DEFAULT`: a call sends what the application writes and plays, nothing of its own."""


def fault_of(error: Exception) -> SourceFault:
    """Which of the three faults of a microphone an exception means: access denied, not found, or broken."""
    if isinstance(error, MediaAccessError):
        return error.fault
    match error:
        case PermissionError():
            return "permission"
        case FileNotFoundError() | LookupError():
            return "not_found"
        case _:
            return "other"
