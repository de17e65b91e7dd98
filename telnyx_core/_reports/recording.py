"""A piece of a call's recording for the platform: where it goes, and what is kept of it (REC-015 to REC-017)."""

from typing import Final

from attrs import frozen

from telnyx_core._reports.segment import ReportEndpoint
from telnyx_core.ids import CallId
from telnyx_core.options import ClientOptions, RecordedTrack

PACKET_COST: Final = 160
"""Bytes that a packet counts beside its payload (REC-012)."""
FRAMES_A_SECOND: Final = 50
_SMALLEST_PERIOD: Final = 1.0
_REPORT_PATH: Final = "/call_report"


@frozen(kw_only=True)
class RecordedPart:
    """What a track holds when it is this part's turn."""

    call: CallId
    track: RecordedTrack
    home: ReportEndpoint
    endpoint: str
    """A path, on the host that takes the reports."""
    last: bool
    keeps: int
    """Most bytes that wait for the next part after an upload that failed."""

    @property
    def url(self) -> str:
        return self.home.url.removesuffix(_REPORT_PATH) + self.endpoint


def part_period(options: ClientOptions) -> float:
    """Seconds between two parts: before half of the buffer is full (REC-013). 0: only one, at the end."""
    wanted, rate = options.call_recording_flush_interval, options.call_recording_sample_rate
    if wanted <= 0:
        return 0.0
    half = options.call_recording_max_buffer_bytes / (rate * 4 + 2 * FRAMES_A_SECOND * PACKET_COST) * 0.5
    return min(wanted, max(_SMALLEST_PERIOD, half))
