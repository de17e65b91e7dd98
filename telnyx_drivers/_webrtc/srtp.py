"""SRTP and SRTCP of a path, at the level of datagrams (RFC 3711): no queue and no task in between."""

from collections.abc import Callable

from pylibsrtp import Error as SrtpError

from telnyx_drivers._webrtc import private
from telnyx_drivers._webrtc.dtls import DtlsTransport
from telnyx_drivers._webrtc.ice_transport import IceTransport


class SrtpWire:
    """The encrypted path to the far end. Implements `rtp_path.Wire`.

    Datagrams are handled in the callback of their socket. Those that cannot be authenticated, and packets for which
    there is no path at the moment, are lost, as they would be on any network.
    """

    def __init__(
        self,
        ice: IceTransport,
        dtls: DtlsTransport,
        on_rtp: Callable[[bytes], None],
        on_rtcp: Callable[[bytes], None],
    ) -> None:
        """Needs a finished handshake. Both functions get whole packets in the clear."""
        assert dtls.keys is not None, "SRTP keys come from the handshake"
        outgoing, incoming = dtls.keys
        self._ice, self._dtls, self._closed = ice, dtls, False
        self._send = ice.send
        self._protect, self._protect_rtcp = private.srtp_call(outgoing, "srtp_protect"), outgoing.protect_rtcp
        unprotect, unprotect_rtcp = private.srtp_call(incoming, "srtp_unprotect"), incoming.unprotect_rtcp

        def is_media(data: bytes) -> bool:
            """True: handled here. These values of the second byte are SRTCP (RFC 5761)."""
            is_rtcp = 192 <= data[1] <= 223
            try:
                clear = unprotect_rtcp(data) if is_rtcp else unprotect(data)
            except (SrtpError, ValueError):
                return False
            if is_rtcp:
                on_rtcp(clear)
            else:
                on_rtp(clear)
            return True

        ice.carry_media(is_media)

    @property
    def open(self) -> bool:
        """False once either end has closed the DTLS association: then nothing more may be sent."""
        return self._dtls.state == "connected" and not self._closed

    def send(self, packet: bytes) -> None:
        self._send(self._protect(packet))

    def send_rtcp(self, packet: bytes) -> None:
        self._send(self._protect_rtcp(packet))

    def close(self) -> None:
        self._closed = True
        self._ice.carry_media(None)
