"""libopus by ctypes: half the cost of going through FFmpeg's frames, and what FFmpeg's interface leaves out.

The library is the one that PyAV's wheel brings along, or the system's. Its functions used here have been stable since
version 1.0.
"""

import ctypes
import ctypes.util
import weakref
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Final

import av
import numpy as np
from attrs import frozen

from telnyx_drivers import _logs as logs
from telnyx_drivers._audio.frames import Samples
from telnyx_drivers._audio.rtp import opus_payload

_log = logs.of_module(__name__)

_VOIP: Final = 2_048
_SET_BITRATE, _SET_COMPLEXITY, _SET_INBAND_FEC, _SET_LOSS_PERCENT = 4_002, 4_010, 4_012, 4_014
_SET_DTX: Final = 4_016
_RESET_STATE: Final = 4_028
BIT_RATE: Final = 32_000
"""Bits per second: speech at full quality, half of what G.711 takes."""
_LEAST_BIT_RATE: Final = 6_000
_COPIES_BIT_RATE: Final = 16_000
"""More for as long as copies go along: taken from the frames themselves they cost half a point of PESQ."""
_MOST_BYTES: Final = 1_275
_MOST_SAMPLES: Final = 5_760


@frozen(kw_only=True)
class OpusSettings:
    """What is spent on the sound of what is sent. By default what a telephone carries, wideband, is carried well.

    PESQ-wb of synthetic speech at 32 kbit/s, and microseconds to encode 20 ms: `bench/quality.py` has the table.
    """

    complexity: int = 5
    """Of 0 to 10: what libopus may spend. 9 sounds a little better for half as much time again; 2 is for servers that
    are full of calls."""
    full_band: bool = False
    """Audio up to 20 kHz, for music between programs; a telephone has nothing above 8 kHz."""

    def __attrs_post_init__(self) -> None:
        if not 0 <= self.complexity <= 10:
            raise ValueError(f"complexity must be 0 to 10, not {self.complexity}")

    @property
    def sample_rate(self) -> int:
        """Of what the encoder is given: what it would make of more than it keeps, is not worth making."""
        return opus_payload.CLOCK_RATE if self.full_band else 16_000


class Library:
    """The functions of libopus, with their types."""

    def __init__(self, path: str) -> None:
        functions = ctypes.CDLL(path)
        pointer, number, size = ctypes.c_void_p, ctypes.c_int, ctypes.c_int32
        error = ctypes.POINTER(ctypes.c_int)
        self.encoder_create = functions.opus_encoder_create
        self.encoder_create.restype, self.encoder_create.argtypes = pointer, [size, number, number, error]
        self.encoder_destroy = functions.opus_encoder_destroy
        self.encoder_destroy.restype, self.encoder_destroy.argtypes = None, [pointer]
        # Variadic: the argument after the two named ones goes with its own type.
        self.encoder_ctl = functions.opus_encoder_ctl
        self.encoder_ctl.restype, self.encoder_ctl.argtypes = number, [pointer, number]
        self.encode = functions.opus_encode
        self.encode.restype, self.encode.argtypes = size, [pointer, pointer, number, pointer, size]
        self.decoder_create = functions.opus_decoder_create
        self.decoder_create.restype, self.decoder_create.argtypes = pointer, [size, number, error]
        self.decoder_destroy = functions.opus_decoder_destroy
        self.decoder_destroy.restype, self.decoder_destroy.argtypes = None, [pointer]
        self.decoder_ctl = functions.opus_decoder_ctl
        self.decoder_ctl.restype, self.decoder_ctl.argtypes = number, [pointer, number]
        self.decode = functions.opus_decode
        self.decode.restype = number
        self.decode.argtypes = [pointer, ctypes.c_char_p, size, pointer, number, number]


@cache
def load() -> Library | None:
    """The library; ``None`` where there is none."""
    for path in _places():
        try:
            return Library(path)
        except (OSError, AttributeError) as error:
            _log.debug("no libopus at %s: %s", path, error)
    return None


def _places() -> Iterator[str]:
    package = Path(av.__file__).parent
    for folder in (package.parent / "av.libs", package / ".dylibs"):
        for path in sorted(folder.glob("*opus*")):
            yield str(path)
    found = ctypes.util.find_library("opus")
    if found is not None:
        yield found


class OpusEncoder:
    clock_rate = opus_payload.CLOCK_RATE
    """The same for every rate of the audio (RFC 7587 section 4.1)."""

    def __init__(self, library: Library, settings: OpusSettings | None = None) -> None:
        settings = settings or OpusSettings()
        error = ctypes.c_int()
        self.sample_rate = settings.sample_rate
        self._library = library
        self._state = ctypes.c_void_p(library.encoder_create(self.sample_rate, 1, _VOIP, ctypes.byref(error)))
        if error.value:
            raise MemoryError(f"libopus cannot make an encoder: error {error.value}")
        _free_with(self, library.encoder_destroy, self._state)
        self._set(_SET_BITRATE, BIT_RATE)
        self._set(_SET_COMPLEXITY, settings.complexity)
        self._set(_SET_INBAND_FEC, 1)
        self._loss_percent = 0
        self._most = BIT_RATE + _COPIES_BIT_RATE
        self._out = ctypes.create_string_buffer(_MOST_BYTES)

    def encode(self, samples: Samples) -> bytes:
        samples = np.ascontiguousarray(samples)
        size: int = self._library.encode(self._state, samples.ctypes.data, samples.size, self._out, _MOST_BYTES)
        assert size > 0, f"libopus cannot encode {samples.size} samples: error {size}"
        return self._out.raw[:size]

    def expect_loss(self, fraction: float) -> None:
        """Copies of frames go into the next packet only when losses are expected; they cost quality otherwise."""
        percent = min(round(fraction * 100), 30)
        if percent != self._loss_percent:
            self._loss_percent = percent
            self._set(_SET_LOSS_PERCENT, percent)
            self._spend()

    def suppress_silence(self) -> bool:
        self._set(_SET_DTX, 1)
        return True

    def limit(self, bits_per_second: int) -> bool:
        self._most = max(bits_per_second, _LEAST_BIT_RATE)
        self._spend()
        return True

    def _spend(self) -> None:
        copies = _COPIES_BIT_RATE if self._loss_percent else 0
        self._set(_SET_BITRATE, min(self._most, BIT_RATE + copies))

    def _set(self, request: int, value: int) -> None:
        self._library.encoder_ctl(self._state, request, ctypes.c_int32(value))


class OpusDecoder:
    sample_rate = opus_payload.CLOCK_RATE
    clock_rate = opus_payload.CLOCK_RATE
    memoryless = False

    def __init__(self, library: Library) -> None:
        error = ctypes.c_int()
        self._library = library
        self._state = ctypes.c_void_p(library.decoder_create(self.sample_rate, 1, ctypes.byref(error)))
        if error.value:
            raise MemoryError(f"libopus cannot make a decoder: error {error.value}")
        _free_with(self, library.decoder_destroy, self._state)
        self._out = np.zeros(_MOST_SAMPLES, dtype=np.int16)
        self._address = self._out.ctypes.data

    def decode(self, payload: bytes) -> Samples:
        return self._decode(payload, _MOST_SAMPLES, 0) if payload else self._out[:0].copy()

    def describe(self, payload: bytes) -> tuple[int, bool, bool]:
        return opus_payload.duration(payload), opus_payload.pauses(payload), opus_payload.repairs(payload)

    def decode_repair(self, payload: bytes, samples: int) -> Samples | None:
        return self._decode(payload, samples, 1)

    def conceal(self, samples: int) -> Samples | None:
        return self._decode(None, samples, 0)

    def reset(self) -> None:
        self._library.decoder_ctl(self._state, _RESET_STATE)

    def _decode(self, payload: bytes | None, most: int, repair: int) -> Samples:
        length = 0 if payload is None else len(payload)
        count: int = self._library.decode(self._state, payload, length, self._address, most, repair)
        return self._out[: max(count, 0)].copy()


def _free_with(owner: object, destroy: Callable[[ctypes.c_void_p], None], state: ctypes.c_void_p) -> None:
    """Free a codec's state with its owner; not at the exit of the process, where a thread may be using it still."""
    weakref.finalize(owner, destroy, state).atexit = False
