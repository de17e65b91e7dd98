"""The bit rate of an encoder: what a description asks for, and what a bandwidth leaves for payloads."""

import re
from collections.abc import Iterator
from typing import Final

from telnyx_drivers._webrtc.sdp import Section

_HEADERS: Final = 50 * (20 + 8 + 12) * 8
"""Bits a second for IPv4, UDP and RTP, which count in ``b=AS`` (RFC 3550 section 6.2), at 20 ms a packet."""
LEAST: Final = 6_000
MOST: Final = 510_000
"""What ``maxaveragebitrate`` may say (RFC 7587 section 6.1)."""

_BANDWIDTH: Final = re.compile(r"b=(AS|TIAS):([0-9]{1,9})")
_AVERAGE: Final = re.compile(r"a=fmtp:.*[ ;]maxaveragebitrate=([0-9]{1,9})(?:;.*)?")


def of_bandwidth(kbps: int) -> int:
    """What a bandwidth in kilobits per second leaves for payloads; never less than speech needs."""
    return min(max(kbps * 1_000 - _HEADERS, LEAST), MOST)


def asked_of_us(section: Section) -> int | None:
    """The least that the far end asks for, in payload bits per second: ``b=AS``, ``b=TIAS``, ``maxaveragebitrate``."""
    return min(_asked(section), default=None)


def _asked(section: Section) -> Iterator[int]:
    for line in section.lines:
        if (bandwidth := _BANDWIDTH.fullmatch(line)) is not None and int(bandwidth[2]) > 0:
            # TIAS counts nothing below the codec (RFC 3890 section 6.1).
            yield of_bandwidth(int(bandwidth[2])) if bandwidth[1] == "AS" else int(bandwidth[2])
        elif (average := _AVERAGE.fullmatch(line)) is not None and int(average[1]) >= LEAST:
            yield int(average[1])
