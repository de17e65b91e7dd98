"""The part of PortAudio that is used here, and what its errors mean (extra ``devices``)."""

import threading
from collections.abc import Callable
from typing import Final, Literal, Protocol, TypeAlias, cast

from telnyx_drivers._exceptions import MediaUnavailable

Direction: TypeAlias = Literal["input", "output"]
Callback: TypeAlias = Callable[..., None]
"""Called on PortAudio's own thread with a buffer, its size in frames, times, and flags (see `sounddevice`)."""


class DeviceStream(Protocol):
    def start(self) -> None: ...

    def close(self) -> None:
        """Blocks until the callback has returned for the last time."""
        ...


class MakeStream(Protocol):
    def __call__(
        self,
        *,
        device: int,
        samplerate: int,
        channels: int,
        blocksize: int,
        dtype: str,
        callback: Callback,
        finished_callback: Callable[[], None],
    ) -> DeviceStream: ...


class PortAudio(Protocol):
    """As the module `sounddevice`, which is where one comes from."""

    PortAudioError: type[Exception]
    RawInputStream: MakeStream
    RawOutputStream: MakeStream

    def query_devices(self, device: int | str | None = None, kind: Direction | None = None) -> object:
        """Without arguments all devices in a sequence, else one of them; a mapping each."""
        ...

    def query_hostapis(self) -> object: ...


_LOADING: Final = threading.Lock()
"""Without its library the import fails half way, and another thread would be given the half that there is."""


def load_portaudio() -> PortAudio:
    """Raises `MediaUnavailable` when the extra or the PortAudio library itself is not installed."""
    try:
        with _LOADING:
            import sounddevice  # pyright: ignore[reportMissingTypeStubs]
    except ModuleNotFoundError as error:
        raise MediaUnavailable(
            f"devices need the devices extra, but {error.name} is missing: pip install 'telnyx-rtc[devices]'"
        ) from error
    except OSError as error:
        raise MediaUnavailable(f"{error}: install it, on Debian with 'apt install libportaudio2'") from error
    return cast("PortAudio", sounddevice)


# PaErrorCode, portaudio.h.
_HOST_ERROR: Final = -9999
_UNSUITABLE: Final = frozenset({-9998, -9997, -9996, -9994, -9993})
"""Channel count, sample rate, device, sample format, or combination of devices."""
_DENIED: Final = frozenset({-1, -13, 1, 13, -2_147_024_891})
"""EPERM and EACCES of ALSA and OSS, E_ACCESSDENIED of WASAPI."""


def wrong_channels(error: Exception) -> bool:
    """The device has not that many channels."""
    return error.args[1:2] == (-9998,)


def meaning(error: Exception) -> Exception:
    """MEDIA-409: ``PermissionError``, ``LookupError`` for a device that is not there or cannot do it, else ``OSError``.

    PortAudio's errors are (text, code, (host API, host's code, host's text)), cut short where nothing is known; the
    query of a device that does not exist has no code at all.
    """
    text = str(error) or type(error).__name__
    if isinstance(error, ValueError) or len(error.args) == 1 or error.args[1] in _UNSUITABLE:
        return LookupError(text)
    if error.args[1] == _HOST_ERROR and len(error.args) > 2:
        _, code, host_text = error.args[2]
        if code in _DENIED or "denied" in str(host_text).lower():
            return PermissionError(text)
    return OSError(text)
