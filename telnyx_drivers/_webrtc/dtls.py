# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
"""The DTLS association of a path (RFC 6347, RFC 5764), on OpenSSL's memory buffers: datagrams in, datagrams out.

A flight of the handshake is repeated after a tenth of a second, where OpenSSL waits a second: some packets reach the
server before it has come round to the selected pair, and some are lost.
"""

import asyncio
import contextlib
import datetime
import hashlib
import secrets
from collections.abc import Callable, Iterable
from functools import cache
from struct import unpack_from
from typing import Final, Literal, Protocol, TypeAlias

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL
from OpenSSL.crypto import FILETYPE_ASN1, dump_certificate
from pylibsrtp import Error as SrtpError
from pylibsrtp import Policy, Session

from telnyx_drivers import _logs as logs

log = logs.of_module(__name__)

DtlsState: TypeAlias = Literal["new", "connecting", "connected", "failed", "closed"]
DtlsRole: TypeAlias = Literal["client", "server"]
Fingerprint: TypeAlias = tuple[str, str]
"""Hash function and value, as in ``a=fingerprint`` (RFC 8122 section 5)."""

CIPHERS: Final = b":".join(
    b"ECDHE-%s-%s" % (key, cipher)
    for cipher in (b"AES128-GCM-SHA256", b"AES256-GCM-SHA384", b"CHACHA20-POLY1305", b"AES128-SHA", b"AES256-SHA")
    for key in (b"ECDSA", b"RSA")
)
"""What DTLS offers. RSA is what the platform's servers have (SRV-002)."""
REPEAT_SECONDS: Final = 0.1
"""Until what was said last in the handshake is said again; twice as long each time (RFC 6347 section 4.2.4.1)."""
_LONGEST_REPEAT: Final = 0.4
"""Seconds between two repeats for as long as the handshake lasts. The server may listen elsewhere for a second, and
OpenSSL's next repeats would come after one, three and seven."""
_MOST_REPEATS_AFTER: Final = 4
"""Of the last flight, once the handshake is over here: whether it is over there cannot be seen."""
_MOST_BYTES: Final = 1_200
"""Of handshake records in one datagram."""
_RECORD_HEADER: Final = 13
_DTLS_1_2: Final = 0xFEFD
"""The latest version whose records `records` can tell apart."""


@frozen
class _Profile:
    name: bytes
    """As OpenSSL writes it."""
    number: int
    """libsrtp's own."""
    key: int
    salt: int
    """Bytes of each (RFC 5764 section 4.1.2, RFC 7714 section 14.2)."""


def _supported(profile: _Profile) -> bool:
    try:
        Policy(srtp_profile=profile.number)
    except SrtpError:  # AES-GCM, of a libsrtp that was built without
        return False
    return True


_PROFILES: Final = tuple(
    filter(
        _supported,
        (
            _Profile(b"SRTP_AEAD_AES_256_GCM", Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 32, 12),
            _Profile(b"SRTP_AEAD_AES_128_GCM", Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 16, 12),
            _Profile(b"SRTP_AES128_CM_SHA1_80", Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 16, 14),
        ),
    )
)


class Identity(Protocol):
    """A certificate with its key."""

    @property
    def fingerprint(self) -> Fingerprint: ...

    def install(self, connection: SSL.Connection) -> None: ...


class Certificate:
    """A new one, signed by itself (RFC 8827 section 6.5): ECDSA on P-256, for a month."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, secrets.token_hex(16))])
        now, day = datetime.datetime.now(tz=datetime.UTC), datetime.timedelta(days=1)
        builder = x509.CertificateBuilder(name, name, self._key.public_key(), x509.random_serial_number())
        self._certificate = (
            builder.not_valid_before(now - day).not_valid_after(now + 30 * day).sign(self._key, hashes.SHA256())
        )

    @property
    def fingerprint(self) -> Fingerprint:
        return "sha-256", self._certificate.fingerprint(hashes.SHA256()).hex(":").upper()

    def install(self, connection: SSL.Connection) -> None:
        connection.use_certificate(self._certificate)
        connection.use_privatekey(self._key)


@cache
def _context() -> SSL.Context:
    """One for all associations: another one for each would take 24 KB and a third of a millisecond."""
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_max_proto_version(_DTLS_1_2)
    context.set_options(SSL.OP_NO_TICKET)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)  # there is next to nothing to read once the handshake is over
    # Nothing of an association outlives it: the next one has another certificate.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _accept)
    context.set_cipher_list(CIPHERS)
    context.set_tlsext_use_srtp(b":".join(profile.name for profile in _PROFILES))
    return context


class DtlsTransport:
    """One end. Everything happens inside the calls and in a timer; ``on_state`` is called in the middle of them."""

    def __init__(self, send: Callable[[bytes], None], *, patient: bool = False) -> None:
        """``send`` takes a datagram for the far end. ``patient``: repeat when OpenSSL does, as a server does."""
        self.certificate: Identity = Certificate()
        self.on_state: Callable[[DtlsState], None] = lambda state: None
        self.state: DtlsState = "new"
        self.keys: tuple[Session, Session] | None = None
        """To send with and to receive with, once connected."""
        self._send = send
        self._patient = patient
        self._ssl: SSL.Connection | None = None
        self._role: DtlsRole = "client"
        self._fingerprints: tuple[Fingerprint, ...] = ()
        self._said = b""
        """The last flight of this end."""
        self._number = 0
        self._wait = REPEAT_SECONDS
        self._repeats_after = 0
        self._answered = False
        """The other end has sent something since; its answer need not be complete."""
        self._repeat: asyncio.TimerHandle | None = None

    def start(self, role: DtlsRole, fingerprints: Iterable[Fingerprint]) -> None:
        """Begin the handshake with the end whose certificate has these fingerprints: at least one, all of one."""
        assert self.state == "new", "one association for each transport"
        self._ssl = ssl = SSL.Connection(_context())
        self.certificate.install(ssl)
        self._role, self._fingerprints = role, tuple(fingerprints)
        if role == "client":
            ssl.set_connect_state()
        else:
            ssl.set_accept_state()
        self._change("connecting")
        self._shake(ssl)

    def receive(self, data: bytes) -> None:
        """A datagram of the far end, of DTLS (RFC 7983)."""
        ssl = self._ssl
        if ssl is None or self.state not in ("connecting", "connected"):
            return
        ssl.bio_write(data)
        self._answered = True
        self._leave_it()
        self._wait = REPEAT_SECONDS
        if self.state == "connecting":
            self._shake(ssl)
        else:
            self._read(ssl)

    def close(self) -> None:
        """Tell the far end. Idempotent."""
        if self._ssl is not None and self.state in ("connecting", "connected"):
            with contextlib.suppress(SSL.Error):
                self._ssl.shutdown()
            self._flush(self._ssl)
        self._leave_it()
        self._change("closed")

    @property
    def cipher_name(self) -> str | None:
        return None if self._ssl is None else self._ssl.get_cipher_name()

    @property
    def tls_version(self) -> str | None:
        """As the W3C writes it: the two bytes of the version in hexadecimal, ``FEFD`` for DTLS 1.2."""
        return None if self._ssl is None else f"{self._ssl.get_protocol_version():04X}"

    @property
    def srtp_profile(self) -> str | None:
        """As IANA's registry of DTLS-SRTP profiles names it (RFC 5764); OpenSSL leaves the HMAC out."""
        name = "" if self._ssl is None else self._ssl.get_selected_srtp_profile().decode()
        return name.replace("_CM_SHA1_", "_CM_HMAC_SHA1_") or None

    # The handshake

    def _shake(self, ssl: SSL.Connection) -> None:
        try:
            ssl.do_handshake()
        except SSL.WantReadError:
            self._flush(ssl)
            if self._repeat is None and self._said:
                self._say_again_later()
            return
        except SSL.Error as error:
            log.warning("the DTLS handshake failed: %s", error)
            self._change("failed")
            return
        self._flush(ssl)
        if not self._is_expected(ssl):
            log.warning("the far end's certificate is not the one that its description names")
            self._change("failed")
            return
        self.keys = self._derive(ssl)
        if self.keys is None:
            log.warning("the far end knows no SRTP profile of ours")
        self._change("failed" if self.keys is None else "connected")

    def _is_expected(self, ssl: SSL.Connection) -> bool:
        """Compare the certificate's bytes, as RFC 8122 says, without parsing them.

        ``cryptography`` warns of FreeSWITCH's serial number 0 when it parses, and promises to refuse it one day
        (SRV-002).
        """
        certificate = ssl.get_peer_certificate()
        encoded = b"" if certificate is None else dump_certificate(FILETYPE_ASN1, certificate)
        checks = [
            hashlib.new(algorithm.replace("-", ""), encoded).hexdigest() == value.replace(":", "").lower()
            for algorithm, value in self._fingerprints
        ]
        return bool(checks) and all(checks)

    def _derive(self, ssl: SSL.Connection) -> tuple[Session, Session] | None:
        """The two keys and salts of RFC 5764 section 4.2, the client's first."""
        selected = ssl.get_selected_srtp_profile()
        profile = next((each for each in _PROFILES if each.name == selected), None)
        if profile is None:
            return None
        key, salt = profile.key, profile.salt
        material = ssl.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (key + salt))
        client = material[:key] + material[2 * key : 2 * key + salt]
        server = material[key : 2 * key] + material[2 * key + salt :]
        ours, theirs = (client, server) if self._role == "client" else (server, client)
        return _session(profile, ours, Policy.SSRC_ANY_OUTBOUND), _session(profile, theirs, Policy.SSRC_ANY_INBOUND)

    def _read(self, ssl: SSL.Connection) -> None:
        try:
            ssl.recv(1_500)
        except SSL.ZeroReturnError:
            self._flush(ssl)
            self._change("closed")
            return
        except SSL.Error:
            pass  # nothing for us, or a repeated flight, which OpenSSL answers
        self._flush(ssl)

    def _change(self, state: DtlsState) -> None:
        if state != self.state and self.state not in ("failed", "closed"):
            self.state = state
            self.on_state(state)

    # Flights. A repeated record needs a new number, or the other end takes it for a replay. Numbers are plain to see
    # until keys are agreed, so all records of that time are numbered here. The last ones of a handshake are encrypted,
    # numbers included; they are repeated as they are, which helps when they were lost, and does no harm when they were
    # not.

    def _flush(self, ssl: SSL.Connection) -> None:
        """Send what OpenSSL wants to send: whole records."""
        said = b""
        while True:
            try:
                said += ssl.bio_read(65_536)
            except SSL.Error:
                break
        if not said:
            return
        self._leave_it()
        self._said, self._answered = said, False
        self._say()
        if self.state == "connecting":
            self._say_again_later()

    def _say(self) -> None:
        datagram = b""
        for record in records(self._said):
            if record[3:5] == bytes(2) and not self._patient:
                record = record[:5] + self._number.to_bytes(6) + record[11:]
                self._number += 1
            if len(datagram) + len(record) > _MOST_BYTES and datagram:
                self._send(datagram)
                datagram = b""
            datagram += record
        self._send(datagram)

    def _say_again_later(self) -> None:
        wait = self._wait
        if self._patient:
            assert self._ssl is not None, "it has said something"
            timeout = self._ssl.DTLSv1_get_timeout()
            if timeout is None:
                return
            wait = max(timeout, 0.01)
        self._repeat = asyncio.get_running_loop().call_later(wait, self._say_again)
        self._wait = min(2 * self._wait, _LONGEST_REPEAT)

    def _say_again(self) -> None:
        self._repeat = None
        if self._ssl is None or self.state not in ("connecting", "connected"):
            return
        if self.state == "connecting":
            if self._say_anew(self._ssl):
                return
        elif self._patient:
            return
        else:
            self._repeats_after += 1
            if self._answered or self._repeats_after > _MOST_REPEATS_AFTER:
                return
        self._say()
        self._say_again_later()

    def _say_anew(self, ssl: SSL.Connection) -> bool:
        """Let OpenSSL repeat the flight when it would: first after a second, and with its end encrypted anew.

        A far end that has finished takes the same bytes for a replay, and repeats its own last flight for these. True:
        nothing is left to be said now.
        """
        try:
            said = ssl.DTLSv1_handle_timeout()
        except SSL.Error as error:  # it has said the same often enough
            log.warning("the DTLS handshake failed: %s", error)
            self._change("failed")
            return True
        self._flush(ssl)
        if self._repeat is None and (said or self._patient):
            self._say_again_later()
        return said or self._patient

    def _leave_it(self) -> None:
        if self._repeat is not None:
            self._repeat.cancel()
            self._repeat = None


def _accept(*certificate: object) -> bool:
    """Whatever it is: it is compared with the description later."""
    return True


def _session(profile: _Profile, key: bytes, which: int) -> Session:
    policy = Policy(key=key, ssrc_type=which, srtp_profile=profile.number)
    policy.allow_repeat_tx = True
    policy.window_size = 1_024
    return Session(policy)


def records(data: bytes) -> list[bytes]:
    """DTLS records, one after the other (RFC 6347 section 4.1)."""
    found: list[bytes] = []
    while data:
        (length,) = unpack_from("!H", data, _RECORD_HEADER - 2)
        found.append(data[: _RECORD_HEADER + length])
        data = data[_RECORD_HEADER + length :]
    return found
