"""PCM16 frames, and the conversion of an application's audio into the one internal form: mono int16."""

import base64
import binascii
from numbers import Integral
from typing import Final, TypeAlias

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from telnyx_drivers._audio.pcm import Encoding, to_int16, to_pcm16

Samples: TypeAlias = NDArray[np.int16]
"""Mono PCM16, one dimension, native byte order."""

FRAMES_PER_SECOND: Final = 50
"""The frame rate of all audio here: 20 ms, the packet time that every telephone accepts."""

LOWEST_RATE: Final = 8_000
HIGHEST_RATE: Final = 192_000
RATE_STEP: Final = 25
"""Every audio rate in use (11 025 included) is a multiple of this; it keeps resampling ratios small."""


@frozen
class AudioFrame:
    """One frame of PCM16 audio, interleaved when it has several channels.

    ``sample_rate`` is in hertz. ``pts`` counts samples per channel at that rate from the start of the stream; a jump
    means that audio was lost. `to_numpy` gives the samples as an array.
    """

    data: bytes = field(repr=False)
    """PCM, 16-bit little-endian, channels interleaved."""
    sample_rate: int
    """Samples of each channel in a second."""
    channels: int = 1
    """1 or 2."""
    pts: int = 0
    """Samples of each channel since the start of the stream."""

    @classmethod
    def from_ulaw(cls, data: bytes, sample_rate: int = 8_000, channels: int = 1) -> "AudioFrame":
        """From ITU-T G.711 mu-law, one byte a sample."""
        return cls._decoded(data, sample_rate, channels, "ulaw")

    @classmethod
    def from_alaw(cls, data: bytes, sample_rate: int = 8_000, channels: int = 1) -> "AudioFrame":
        """From ITU-T G.711 A-law, one byte a sample."""
        return cls._decoded(data, sample_rate, channels, "alaw")

    @classmethod
    def from_float32(cls, data: "bytes | NDArray[np.float32]", sample_rate: int, channels: int = 1) -> "AudioFrame":
        """From floats in -1..1, little-endian or as an array. Raises ``ValueError`` for half of one.

        For a stream whose chunks are cut anywhere use `telnyx_drivers._audio.chunks.ChunkDecoder`.
        """
        return cls._decoded(bytes(data), sample_rate, channels, "float32")

    @classmethod
    def from_base64(cls, text: str, sample_rate: int, channels: int = 1, encoding: Encoding = "pcm16") -> "AudioFrame":
        """From base64, as speech services put audio into JSON. Raises ``ValueError`` for what is none."""
        return cls._decoded(from_base64(text), sample_rate, channels, encoding)

    @classmethod
    def _decoded(cls, data: bytes, sample_rate: int, channels: int, encoding: Encoding) -> "AudioFrame":
        return cls(to_pcm16(data, encoding), sample_rate, channels)

    def to_base64(self) -> str:
        """The PCM16 as base64, for a speech service that takes JSON."""
        return base64.b64encode(self.data).decode()

    @property
    def samples(self) -> int:
        """Samples per channel."""
        return len(self.data) // (2 * self.channels)

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.samples / self.sample_rate

    def to_numpy(self) -> Samples:
        """The samples as int16, read-only: shape ``(samples,)`` for mono, else ``(samples, channels)``."""
        flat: Samples = np.frombuffer(self.data, dtype="<i2").astype(np.int16, copy=False)
        return flat if self.channels == 1 else flat.reshape(-1, self.channels)


def from_base64(text: str) -> bytes:
    """Raises ``ValueError``."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"the audio is not base64: {error}") from error


Pcm: TypeAlias = bytes | bytearray | memoryview | NDArray[np.int16] | NDArray[np.float32] | AudioFrame
"""What applications may hand in. Float arrays are in -1..1; arrays are ``(samples,)`` or ``(samples, channels)``."""


def check_rate(rate: int) -> int:
    """Return ``rate``, or raise ``TypeError`` or ``ValueError`` when it is not a usable sampling rate in Hz."""
    if not _is_whole(rate):
        raise TypeError(f"a sample rate must be a whole number of hertz, not {type(rate).__name__}")
    if not LOWEST_RATE <= rate <= HIGHEST_RATE or rate % RATE_STEP:
        raise ValueError(f"sample rate {rate!r} Hz: must be {LOWEST_RATE} to {HIGHEST_RATE}, a multiple of {RATE_STEP}")
    return rate


def check_channels(channels: int) -> int:
    """Return ``channels``, or raise ``TypeError`` or ``ValueError``."""
    if not _is_whole(channels):
        raise TypeError(f"channels must be a whole number, not {type(channels).__name__}")
    if channels < 1:
        raise ValueError(f"channels must be at least 1, not {channels}")
    return channels


def _is_whole(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, Integral)  # numpy's are whole numbers too


def to_mono(pcm: Pcm, sample_rate: int | None, channels: int) -> tuple[Samples, int]:
    """The samples as mono int16 in an array that others cannot change, and their rate.

    Raises ``TypeError`` for raw audio without a rate or of a wrong type, ``ValueError`` for a wrong size or rate.
    """
    if isinstance(pcm, AudioFrame):
        if sample_rate is not None and sample_rate != pcm.sample_rate:
            raise ValueError(f"the frame says {pcm.sample_rate} Hz, the caller says {sample_rate} Hz")
        return to_mono(pcm.data, pcm.sample_rate, pcm.channels)
    if sample_rate is None:
        raise TypeError("raw PCM needs its sample_rate")
    check_rate(sample_rate)
    check_channels(channels)
    if isinstance(pcm, np.ndarray):
        return _mono_array(pcm, channels), sample_rate
    if not isinstance(pcm, (bytes, bytearray, memoryview)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"PCM must be bytes, a numpy array or an AudioFrame, not {type(pcm).__name__}")
    data = bytes(pcm)
    if len(data) % (2 * channels):
        raise ValueError(f"{len(data)} bytes are not whole PCM16 samples of {channels} channel(s)")
    flat = np.frombuffer(data, dtype="<i2").astype(np.int16, copy=False)
    return (flat if channels == 1 else _downmix(flat.reshape(-1, channels))), sample_rate


def _mono_array(array: NDArray[np.int16] | NDArray[np.float32], channels: int) -> Samples:
    if array.ndim not in (1, 2):
        raise ValueError(f"an array of audio has one or two dimensions, not {array.ndim}")
    if array.ndim == 1 and channels > 1:
        if array.size % channels:
            raise ValueError(f"{array.size} samples are not whole frames of {channels} channels")
        array = array.reshape(-1, channels)
    if np.issubdtype(array.dtype, np.floating):
        whole = to_int16(array.astype(np.float32, copy=False) * np.float32(32_767))
    elif array.dtype == np.int16:
        whole = array.astype(np.int16, copy=True)
    else:
        raise TypeError(f"an array of audio holds int16 or floats, not {array.dtype}")
    return whole if whole.ndim == 1 else _downmix(whole)


def _downmix(interleaved: Samples) -> Samples:
    """The mean of the channels, which cannot clip."""
    if interleaved.shape[1] == 1:
        return np.ascontiguousarray(interleaved[:, 0])
    mono: Samples = np.rint(interleaved.mean(axis=1)).astype(np.int16)
    return mono


_SILENCE: dict[int, Samples] = {}


def silence(count: int) -> Samples:
    """``count`` zero samples, shared and read-only: code may test for silence with ``is``."""
    zeros = _SILENCE.get(count)
    if zeros is None:
        zeros = np.zeros(count, dtype=np.int16)
        zeros.flags.writeable = False
        if len(_SILENCE) < 64:
            _SILENCE[count] = zeros
    return zeros


def mix(one: Samples, other: Samples) -> Samples:
    """The saturated sum of two equally long pieces."""
    total: Samples = np.clip(one.astype(np.int32) + other, -32_768, 32_767).astype(np.int16)
    return total
