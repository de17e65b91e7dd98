"""WAV files as they come: from disks, pipes and speech services, with headers that were written before the sound.

What the header says about the sound is believed, what it says about sizes only as far as it can be true. A length of 0,
of 0xFFFFFFFF or beyond the end means "until the end", and the length of the whole (RIFF) is not looked at.
"""

import struct
from typing import Final

from attrs import frozen

from telnyx_drivers._audio.frames import Samples, check_rate, to_mono
from telnyx_drivers._audio.pcm import WIDTHS, Encoding, to_pcm16

HEADER_BYTES: Final = 1 << 20
"""Of everything before the sound (pictures and notes may stand there): more is no WAV file."""
_MAGIC: Final = (b"RIFF", b"RF64", b"BW64")
_PLACEHOLDER: Final = 44
"""Bytes: what a header alone takes. A length up to it was never filled in if no chunk follows after so much."""
_KNOWN: Final = frozenset(
    b"fmt |data|fact|LIST|INFO|JUNK|junk|PAD |bext|iXML|axml|chna|cue |plst|smpl|inst|PEAK|id3 |ID3 |ds64|cart|_PMX"
    b"|DISP|FLLR|RIFF|RF64|BW64|afsp|acid|strc|note|labl|ltxt|levl|wavl|slnt|umid|regn|minf|elm1|aXML|link".split(b"|")
)
_GUID: Final = bytes.fromhex("000000001000800000aa00389b71")
"""The rest of the subtype of an extensible format whose first two bytes are a plain format's tag."""
_ENCODINGS: Final[dict[tuple[int, int], Encoding]] = {
    (1, 1): "pcm8",
    (1, 2): "pcm16",
    (1, 3): "pcm24",
    (1, 4): "pcm32",
    (3, 4): "float32",
    (3, 8): "float64",
    (6, 1): "alaw",
    (7, 1): "ulaw",
}
"""By the format's tag and the bytes of a sample."""


@frozen
class PcmFormat:
    """The format of raw audio bytes; several channels are interleaved."""

    encoding: Encoding
    sample_rate: int
    channels: int = 1

    @property
    def frame_bytes(self) -> int:
        """Of one sample of every channel: what can be decoded at the least."""
        return WIDTHS[self.encoding] * self.channels

    def to_mono(self, data: bytes) -> Samples:
        """The samples of ``data``, which holds whole frames."""
        return to_mono(to_pcm16(data, self.encoding), self.sample_rate, self.channels)[0]


class NotPlainWav(ValueError):
    """Not a WAV file, or one of an encoding that is not known here: a case for FFmpeg."""


def begins_wav(data: bytes | bytearray) -> bool | None:
    """Whether these bytes begin a WAV file; ``None`` while there are too few to tell."""
    if not data[:4] or not any(magic.startswith(bytes(data[:4])) for magic in _MAGIC):
        return False
    if not b"WAVE".startswith(bytes(data[8:12])):
        return False
    return True if len(data) >= 12 else None


class WavStream:
    """The sound in a WAV file that is fed byte by byte or as a whole. Raises `NotPlainWav`.

    A second file directly after the first continues the stream, also in another format.
    """

    def __init__(self) -> None:
        self.format: PcmFormat | None = None
        """Once the header has told it."""
        self._held = bytearray()
        self._header = 0
        """Bytes since the beginning without sound."""
        self._skip = 0
        self._left: int | None = None
        """Bytes of the sound still to come by the header; ``None`` outside of it."""
        self._endless = False
        self._stated = 0
        self._long: int | None = None
        """The sound's length in a ``ds64`` chunk (RF64), for a field that is too short for it."""
        self._odd = False
        """The chunk before was odd: a byte may stand before the next one, and often does not."""
        self._begun = self._over = False

    def feed(self, data: bytes) -> list[tuple[PcmFormat, bytes]]:
        """The whole frames of sound that these bytes complete."""
        self._held += data
        sound: list[tuple[PcmFormat, bytes]] = []
        while not self._over and self._step(sound):
            pass
        if self._over:
            self._held.clear()
        if self.format is None and self._header + len(self._held) > HEADER_BYTES:
            raise NotPlainWav("no sound after its beginning")
        return sound

    def _step(self, sound: list[tuple[PcmFormat, bytes]]) -> bool:
        """Take one thing off what is held; false when more must come first."""
        held = self._held
        if self._skip:
            count = min(self._skip, len(held))
            self._drop(count)
            self._skip -= count
            return count > 0
        if self._endless or self._left:
            return self._take_sound(sound)
        if self._left == 0:
            return self._after_sound()
        if not self._begun:
            begins = begins_wav(held) if held else None
            if begins is False:
                raise NotPlainWav("no WAV file")
            if begins:
                self._begun = True
                self._drop(12)
            return bool(begins)
        return self._take_chunk()

    def _take_sound(self, sound: list[tuple[PcmFormat, bytes]]) -> bool:
        assert self.format is not None, "the sound of an unknown format is refused"
        size = self.format.frame_bytes
        most = len(self._held) if self._endless else min(self._left or 0, len(self._held))
        whole = most - most % size
        if whole:
            sound.append((self.format, bytes(self._held[:whole])))
            del self._held[:whole]
            self._left = None if self._left is None else self._left - whole
        if self._endless or self._left is None or self._left >= size:
            return False
        # Half a sample at the end of the chunk is no sound.
        self._skip, self._left = self._left, 0
        return True

    def _after_sound(self) -> bool:
        """What follows the sound: another chunk, or, behind a length that was never filled in, the sound itself."""
        held = self._held
        if len(held) < 9:
            return False
        first = bytes(held[:4])
        if first in _KNOWN or (self._odd and bytes(held[1:5]) in _KNOWN):
            self._left = None
        elif self._stated <= _PLACEHOLDER:
            self._endless = True
        elif _printable(first) or (self._odd and _printable(bytes(held[1:5]))):
            self._left = None
        else:
            self._over = True
        return True

    def _take_chunk(self) -> bool:
        held = self._held
        if len(held) < 9:
            return False
        if self._odd and not _unpadded(held):
            self._drop(1)
            self._odd = False
            return True
        name, size = bytes(held[:4]), int.from_bytes(held[4:8], "little")
        if name in _MAGIC:
            self._begun, self._odd = False, False
            return True
        if name in (b"fmt ", b"ds64"):
            if size > 4_096:
                raise NotPlainWav("its format takes more than it can")
            if len(held) < 8 + size:
                return False
            body = bytes(held[8 : 8 + size])
            if name == b"fmt ":
                self.format = _format(body)
            elif size >= 16:
                self._long = int.from_bytes(body[8:16], "little")
            self._drop(8 + size)
        elif name == b"data":
            if self.format is None:
                raise NotPlainWav("its sound comes before its format")
            self._drop(8)
            self._stated = self._left = self._long if size == 0xFFFF_FFFF and self._long else size
        else:
            self._drop(8)
            self._skip = size
        self._odd = size % 2 == 1
        return True

    def _drop(self, count: int) -> None:
        del self._held[:count]
        self._header += count


def _printable(name: bytes) -> bool:
    return all(32 <= byte < 127 for byte in name)


def _unpadded(held: bytearray) -> bool:
    """Whether a chunk begins here, and not one byte later, where it should."""
    here, later = bytes(held[:4]), bytes(held[1:5])
    return here in _KNOWN or (later not in _KNOWN and _printable(here) and not _printable(later))


def _format(body: bytes) -> PcmFormat:
    """A ``fmt`` chunk. Raises `NotPlainWav`."""
    if len(body) < 16:
        raise NotPlainWav("its format is cut off")
    tag, channels, rate, _, align, bits = struct.unpack("<HHIIHH", body[:16])
    if tag == 0xFFFE and body[26:40] == _GUID:
        tag = int.from_bytes(body[24:26], "little")
    width = -(-bits // 8)
    if channels and align % channels == 0 and width < align // channels <= 4:
        width = align // channels  # 20 bits in 3 bytes, 24 bits in 4: the upper ones
    encoding = _ENCODINGS.get((tag, width))
    if encoding is None or not 1 <= channels <= 64:
        raise NotPlainWav(f"format {tag:#x} with {channels} channels of {bits} bits")
    try:
        return PcmFormat(encoding, check_rate(rate), channels)
    except ValueError as error:
        raise NotPlainWav(str(error)) from None
