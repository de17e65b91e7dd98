# pyright: reportPrivateUsage=false
"""Every name that this package uses without aiortc or aioice having promised it, and nothing else.

aiortc has no hook for the things a telephony client must change: which ciphers DTLS offers, where candidates come
from, what happens to a packet that is no audio. All of it is done here, on single instances, never on a class or a
module, so that other users of aiortc in the same process notice nothing. `PRIVATE_NAMES` is checked against live
objects by a test, and ``pyproject.toml`` pins the versions, so an upgrade that moves a name fails there and not in a
call.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from typing import Final, TypeAlias, cast

from aioice import Candidate, Connection
from aioice.ice import CandidatePair
from aioice.ice import StunProtocol as StunProtocol
from aioice.ice import relayed_candidate as relayed_candidate
from aioice.ice import server_reflexive_candidate as server_reflexive_candidate
from aioice.stun import Class as Class
from aioice.stun import Message as Message
from aioice.stun import Method as Method
from aioice.stun import Transaction as Transaction
from aioice.stun import TransactionError as TransactionError
from aioice.stun import parse_message as parse_message
from aioice.turn import TurnClientMixin, TurnTransport
from aioice.turn import create_turn_endpoint as create_turn_endpoint
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCRtpTransceiver
from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsParameters, RTCDtlsTransport, SRTPProtectionProfile, State
from aiortc.rtcrtpparameters import (
    RTCRtpCodecCapability,
    RTCRtpCodecParameters,
    RTCRtpReceiveParameters,
    RTCRtpSendParameters,
)
from aiortc.rtcrtpreceiver import RTCRtpReceiver, StreamStatistics
from aiortc.rtcrtpsender import RTCRtpSender
from aiortc.rtp import AnyRtcpPacket, RtcpByePacket, RtpPacket
from attrs import frozen
from OpenSSL import SSL
from OpenSSL.crypto import FILETYPE_ASN1, dump_certificate
from pylibsrtp import SRTP_MAX_TRAILER_LEN
from pylibsrtp import Error as SrtpError
from pylibsrtp import Session as SrtpSession

from telnyx_drivers._webrtc.aiortc_socket import IceSocket as IceSocket
from telnyx_drivers._webrtc.aiortc_socket import Relay, mangled, sender_of
from telnyx_drivers._webrtc.aiortc_socket import Unwanted as Unwanted
from telnyx_drivers._webrtc.aiortc_socket import door_of as door_of
from telnyx_drivers._webrtc.aiortc_socket import open_sockets as open_sockets

log = logging.getLogger(__name__)

PRIVATE_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "peer connection": ("_RTCPeerConnection__connect",),
    "transceiver": ("_codecs", "_preferred_codecs"),
    "dtls": (
        "_rtp_router",
        "_set_state",
        "_rx_srtp",
        "_ssl",
        "_state",
        "_tx_srtp",
        "_validate_peer_identity",
        "_write_ssl",
        "_RTCDtlsTransport__local_certificate",
    ),
    "certificate": ("_create_ssl_context",),
    "router": ("payload_type_table",),
    "ice": ("_connection", "_recv", "_send"),
    "connection": (
        "_check_list",
        "_closing",
        "_local_candidates",
        "_nominated",
        "_pair_remote_candidate",
        "_protocols",
        "_queue",
        "_remote_candidates",
        "_tie_breaker",
        "build_request",
        "check_incoming",
        "check_start_task",
        "data_received",
        "get_component_candidates",
        "query_consent",
        "sort_check_list",
    ),
    "receiver": ("_handle_rtcp_packet", "_handle_rtp_packet", "_track", "_RTCRtpReceiver__remote_streams"),
    "sender": ("_ssrc", "_RTCRtpSender__octet_count", "_RTCRtpSender__packet_count", "_RTCRtpSender__rtt"),
    "srtp": ("_buffer", "_cdata", "_srtp"),
    "transaction": ("_Transaction__addr", "_Transaction__request"),
    "turn": ("_TurnTransport__close_task", "_TurnTransport__inner_protocol"),
    "turn client": ("_send", "channel_refresh_at", "lifetime", "peer_to_channel", "request_with_retry"),
    "udp transport": ("_read_ready", "_sock", "max_size"),
}
"""Attributes of live objects, by the role of the object, as used here, in `aiortc_socket` and in `aiortc_starting`.
Beside these: the undocumented functions that they import."""

_MOST_PACKETS: Final = 500
"""Waiting for the library to take them, ten seconds of audio: more has been waiting since the loop stood still."""

OnRtp: TypeAlias = Callable[[RtpPacket], bool]
"""Sees a packet before the library does; ``True``: it has been handled."""
Gather: TypeAlias = Callable[[Connection], Awaitable[list[Candidate]]]


def dtls_of(transceiver: RTCRtpTransceiver) -> RTCDtlsTransport:
    return transceiver.receiver.transport


def connection_of(transceiver: RTCRtpTransceiver) -> Connection:
    """The ICE agent of a transceiver."""
    return dtls_of(transceiver).transport._connection


def codecs(transceiver: RTCRtpTransceiver) -> list[RTCRtpCodecParameters]:
    """The negotiated codecs, the one to send first."""
    return transceiver._codecs


def remote_track(transceiver: RTCRtpTransceiver) -> MediaStreamTrack | None:
    """What is received, or ``None`` while nothing is to be received."""
    return transceiver.receiver._track


def preferred_codecs(transceiver: RTCRtpTransceiver) -> list[RTCRtpCodecCapability]:
    return transceiver._preferred_codecs


# Gathering


def replace_gathering(transceiver: RTCRtpTransceiver, gather: Gather) -> None:
    """Let ``gather`` find the local candidates of this one agent, instead of aioice's fixed recipe."""
    connection = connection_of(transceiver)

    async def get_component_candidates(component: int, addresses: list[str], timeout: int = 5) -> list[Candidate]:
        return await gather(connection)

    connection.get_component_candidates = get_component_candidates  # type: ignore[method-assign]


def add_candidate(connection: Connection, candidate: Candidate, protocol: StunProtocol | None = None) -> None:
    """Add a late candidate to the agent. One with a socket of its own is paired with the remote candidates."""
    connection._local_candidates.append(candidate)
    if protocol is not None:
        connection._protocols.append(protocol)
        for remote in connection.remote_candidates:
            connection._pair_remote_candidate(remote)
        connection.sort_check_list()


async def connect(pc: RTCPeerConnection) -> None:
    """Begin the checks, if both descriptions are set. aiortc does not if it had no local candidate at that time."""
    await pc._RTCPeerConnection__connect()  # type: ignore[attr-defined]


async def refresh_allocation(protocol: StunProtocol) -> None:
    """Ask a TURN server to keep an allocation (RFC 8656 section 7). Raises `TransactionError`, ``ConnectionError``."""
    assert isinstance(protocol.transport, TurnTransport), "an allocation"
    client = mangled(protocol.transport, TurnTransport, "inner_protocol")
    assert isinstance(client, TurnClientMixin)
    request = Message(message_method=Method.REFRESH, message_class=Class.REQUEST)
    request.attributes["LIFETIME"] = client.lifetime
    await client.request_with_retry(request)


def abandon_turn(connection: Connection) -> None:
    """Stop waiting for TURN servers to confirm that allocations are given back; their sockets close now."""
    for protocol in connection._protocols:
        if isinstance(protocol.transport, TurnTransport):
            farewell = mangled(protocol.transport, TurnTransport, "close_task")
            if isinstance(farewell, asyncio.Task):
                farewell.cancel()


# Servers without a peer


async def close_turn(transport: TurnTransport, timeout: float) -> None:
    """Give an allocation back, and wait so many seconds for the server to confirm it."""
    transport.close()
    farewell = mangled(transport, TurnTransport, "close_task")
    assert isinstance(farewell, asyncio.Task)
    await asyncio.wait([cast("asyncio.Task[None]", farewell)], timeout=timeout)


# Consent and the selected pair


def nominated(connection: Connection) -> CandidatePair | None:
    return connection._nominated.get(1)


async def probe(connection: Connection, pair: CandidatePair) -> None:
    """One STUN binding request on the pair in use (RFC 7675). Raises `TransactionError` when it is not answered.

    It also nominates the pair again, if this end is controlling, so that a server that has left the pair comes back.
    """
    assert connection.remote_password is not None, "a nominated pair has remote credentials"
    await pair.protocol.request(
        connection.build_request(pair, nominate=True),
        pair.remote_addr,
        integrity_key=connection.remote_password.encode(),
        retransmissions=2,
    )


# DTLS


def offer_ciphers(transceiver: RTCRtpTransceiver, ciphers: bytes) -> None:
    """Negotiate one of ``ciphers`` (OpenSSL's list form) in this transport's handshake."""
    certificate = mangled(dtls_of(transceiver), RTCDtlsTransport, "local_certificate")
    assert isinstance(certificate, RTCCertificate)
    create = certificate._create_ssl_context

    def create_with_ciphers(srtp_profiles: list[SRTPProtectionProfile]) -> SSL.Context:
        context = create(srtp_profiles=srtp_profiles)
        context.set_cipher_list(ciphers)
        return context

    certificate._create_ssl_context = create_with_ciphers  # type: ignore[method-assign]


def check_raw_certificate(transceiver: RTCRtpTransceiver) -> None:
    """Compare fingerprints with the certificate's bytes, as RFC 8122 says, without parsing them.

    aiortc has ``cryptography`` parse it first, which warns of FreeSWITCH's serial number 0 and promises to refuse it
    one day (SRV-002).
    """
    dtls = dtls_of(transceiver)

    def validate(remote: RTCDtlsParameters) -> None:
        certificate = None if dtls._ssl is None else dtls._ssl.get_peer_certificate()
        encoded = b"" if certificate is None else dump_certificate(FILETYPE_ASN1, certificate)
        checks = [
            hashlib.new(each.algorithm.replace("-", ""), encoded).hexdigest() == each.value.replace(":", "").lower()
            for each in remote.fingerprints
        ]
        if not (checks and all(checks)):
            log.warning("the far end's certificate is not the one that its description names")
            dtls._set_state(State.FAILED)

    dtls._validate_peer_identity = validate  # type: ignore[assignment, method-assign]


def cipher_name(transceiver: RTCRtpTransceiver) -> str | None:
    connection = dtls_of(transceiver)._ssl
    return None if connection is None else connection.get_cipher_name()


def tls_version(transceiver: RTCRtpTransceiver) -> str | None:
    """As the W3C writes it: the two bytes of the version in hexadecimal, ``FEFD`` for DTLS 1.2."""
    connection = dtls_of(transceiver)._ssl
    return None if connection is None else f"{connection.get_protocol_version():04X}"


def srtp_profile(transceiver: RTCRtpTransceiver) -> str | None:
    """As IANA's registry of DTLS-SRTP profiles names it (RFC 5764); OpenSSL leaves the HMAC out."""
    connection = dtls_of(transceiver)._ssl
    name = "" if connection is None else connection.get_selected_srtp_profile().decode()
    return name.replace("_CM_SHA1_", "_CM_HMAC_SHA1_") or None


# RTP


def tap(transceiver: RTCRtpTransceiver, on_rtp: OnRtp) -> None:
    """Let the library receive RTP, but see every packet first; a remote RTCP BYE never ends the track.

    After it, the library would not start the track again.
    """
    receiver, dtls, connection = transceiver.receiver, dtls_of(transceiver), connection_of(transceiver)

    def media(data: bytes) -> bool:
        if dtls.state != "connected" or connection._queue.qsize() > _MOST_PACKETS:
            return False
        connection.data_received(data, 1)
        return True

    door_of(connection).media = media
    handle_rtp, handle_rtcp = receiver._handle_rtp_packet, receiver._handle_rtcp_packet

    async def rtp(packet: RtpPacket, arrival_time_ms: int) -> None:
        if not on_rtp(packet):
            await handle_rtp(packet, arrival_time_ms)

    async def rtcp(packet: AnyRtcpPacket) -> None:
        if not isinstance(packet, RtcpByePacket):
            await handle_rtcp(packet)

    receiver._handle_rtp_packet = rtp  # type: ignore[method-assign]
    receiver._handle_rtcp_packet = rtcp  # type: ignore[method-assign]


def accept_payload_type(transceiver: RTCRtpTransceiver, payload_type: int) -> None:
    """Route packets of a payload type that the library knows nothing about to the transceiver's receiver."""
    dtls_of(transceiver)._rtp_router.payload_type_table.setdefault(payload_type, set()).add(transceiver.receiver)


@frozen
class Sent:
    packets: int
    octets: int
    """Payload only."""
    round_trip: float | None
    """Seconds, smoothed, from the far end's receiver reports."""


@frozen
class Received:
    packets: int
    lost: int
    jitter: float
    """Seconds."""


def sent(sender: RTCRtpSender) -> Sent:
    packets, octets, rtt = (mangled(sender, RTCRtpSender, name) for name in ("packet_count", "octet_count", "rtt"))
    assert isinstance(packets, int)
    assert isinstance(octets, int)
    return Sent(packets, octets, rtt if isinstance(rtt, float) else None)


def received(receiver: RTCRtpReceiver, clock_rate: int) -> Received | None:
    """Of the stream that began last; ``None`` before the first packet. ``clock_rate`` in hertz."""
    streams = cast("dict[int, StreamStatistics]", mangled(receiver, RTCRtpReceiver, "remote_streams"))
    if not streams:
        return None
    stream = list(streams.values())[-1]
    return Received(stream.packets_received, max(0, stream.packets_lost), stream.jitter / clock_rate)


# RTP without the library's sender and receiver


class Bypass:
    """Keeps the library's sender and receiver of one transceiver from ever starting: no task, no thread, no packet.

    SDP still describes both: their SSRC and CNAME can be used by another sender.
    """

    def __init__(self, transceiver: RTCRtpTransceiver) -> None:
        self._sender = transceiver.sender
        self.cname: str | None = None
        """Known once negotiation is over."""

        async def send(parameters: RTCRtpSendParameters) -> None:
            self.cname = parameters.rtcp.cname

        async def receive(parameters: RTCRtpReceiveParameters) -> None:
            pass

        transceiver.sender.send = send  # type: ignore[method-assign]
        transceiver.receiver.receive = receive  # type: ignore[method-assign]

    @property
    def ssrc(self) -> int:
        return self._sender._ssrc


class SrtpWire:
    """The encrypted path to the far end, at the level of datagrams: no queue and no task in between.

    Datagrams are handled in the callback of their socket. Those that cannot be authenticated, and packets for which
    there is no path at the moment, are lost, as they would be on any network.
    """

    def __init__(
        self, transceiver: RTCRtpTransceiver, on_rtp: Callable[[bytes], None], on_rtcp: Callable[[bytes], None]
    ) -> None:
        """Needs a finished handshake. Both functions get whole packets in the clear."""
        self._dtls = dtls = dtls_of(transceiver)
        assert dtls._rx_srtp is not None, "SRTP keys come from the handshake"
        self.open = True
        """False once either end has closed the DTLS association: then nothing more may be sent."""
        dtls.add_listener("statechange", self._on_dtls_state)
        connection = connection_of(transceiver)
        self._nominated = connection._nominated
        self._pair: CandidatePair | None = None
        self._transport: asyncio.DatagramTransport | Relay | None = None
        self._address: tuple[str, int] | None = None
        self._protect, self._protect_rtcp = _srtp_call(dtls._tx_srtp, "srtp_protect"), dtls._tx_srtp.protect_rtcp
        unprotect, unprotect_rtcp = _srtp_call(dtls._rx_srtp, "srtp_unprotect"), dtls._rx_srtp.unprotect_rtcp

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

        self._door = door_of(connection)
        self._door.media = is_media

    def _on_dtls_state(self) -> None:
        self.open = self._dtls.state == "connected"

    def send(self, packet: bytes) -> None:
        self._send(self._protect(packet))

    def send_rtcp(self, packet: bytes) -> None:
        self._send(self._protect_rtcp(packet))

    def _send(self, data: bytes) -> None:
        pair = self._nominated.get(1)
        if pair is not self._pair:
            self._pair = pair
            self._transport = None if pair is None else sender_of(pair)
            self._address = None if pair is None else pair.remote_addr
        if self._transport is not None and self._address is not None:
            self._transport.sendto(data, self._address)

    def close(self) -> None:
        """Restore the path to its former state."""
        self.open = False
        self._dtls.remove_listener("statechange", self._on_dtls_state)  # pyright: ignore[reportUnknownMemberType]
        self._door.media = None


def _srtp_call(session: SrtpSession, name: str) -> Callable[[bytes], bytes]:
    """One of libsrtp's two functions for RTP, without what `Session` adds to each call: a third of the time.

    Raises `SrtpError` as they do, and ``ValueError`` for a packet that leaves no room for a tag.
    """
    buffer, data, srtp = (getattr(session, each) for each in PRIVATE_NAMES["srtp"])
    room: bytearray = buffer
    state: object = srtp[0]
    binding = import_module("pylibsrtp._binding")
    function: Callable[[object, object, object], int] = getattr(binding.lib, name)
    length: list[int] = binding.ffi.new("int *")
    longest = len(room) - SRTP_MAX_TRAILER_LEN

    def call(packet: bytes) -> bytes:
        length[0] = size = len(packet)
        if size > longest:
            raise ValueError("packet is too long")
        room[:size] = packet
        if function(state, data, length):
            raise SrtpError(name)
        return bytes(room[: length[0]])

    return call
