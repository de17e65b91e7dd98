"""A media path that loses packets, as a bad network does."""

from collections.abc import Callable

from attrs import evolve, frozen

from telnyx_drivers._webrtc.direct_rtp import direct_rtp_path
from telnyx_drivers._webrtc.rtp_path import OnData, RtpPath, RtpPathFactory, RtpWiring, Wire


def lossy_path(lose: Callable[[], bool]) -> RtpPathFactory:
    """As `direct_rtp_path`; ``lose`` is asked for each RTP packet, each way, whether it is lost. RTCP passes."""

    def path(wiring: RtpWiring) -> RtpPath:
        def wire(on_rtp: OnData, on_rtcp: OnData) -> Wire:
            def heard(packet: bytes) -> None:
                if not lose():
                    on_rtp(packet)

            return _LossyWire(wiring.wire(heard, on_rtcp), lose)

        return direct_rtp_path(evolve(wiring, wire=wire))

    return path


@frozen
class _LossyWire:
    _wire: Wire
    _lose: Callable[[], bool]

    @property
    def open(self) -> bool:
        return self._wire.open

    def send(self, packet: bytes) -> None:
        if not self._lose():
            self._wire.send(packet)

    def send_rtcp(self, packet: bytes) -> None:
        self._wire.send_rtcp(packet)

    def close(self) -> None:
        self._wire.close()
