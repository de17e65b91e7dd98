"""STUN messages (RFC 8489) as values and as bytes: the codec that connectivity checks and TURN are written in.

`decode` reads a datagram strictly: what is not a whole, well-formed message is a `StunError`, and nothing else is ever
raised. `encode` writes one, and signs it when it is given a key. A message keeps its bytes, so that `Message.verify`
can judge a signature with whichever key belongs to the name in it.
"""

import hashlib
import hmac
import ipaddress
import zlib
from collections.abc import Iterable
from enum import IntEnum
from struct import Struct, pack
from typing import Final, NamedTuple, TypeAlias

from attrs import field, frozen

COOKIE: Final = 0x2112A442
HEADER: Final = Struct("!HHI12s")
MAX_MESSAGE: Final = 65_535
"""Bytes: what one datagram, or one frame on a TCP connection to a TURN server, can be."""
MAX_ATTRIBUTES: Final = 32
"""In one message. A check has nine, an answer of a TURN server about ten."""
MAX_REASON: Final = 128
"""Characters of an error's reason that are kept; RFC 8489 section 14.8 allows 127 in the first place."""
_FINGERPRINT_XOR: Final = 0x5354554E
_COOKIE_BYTES: Final = COOKIE.to_bytes(4, "big")


class StunError(ValueError):
    """Bytes that are no usable STUN message; the text says why."""


class Method(IntEnum):
    """What is asked for (RFC 8489 section 18.2, RFC 8656 section 17)."""

    BINDING = 0x001
    ALLOCATE = 0x003
    REFRESH = 0x004
    SEND = 0x006
    DATA = 0x007
    CREATE_PERMISSION = 0x008
    CHANNEL_BIND = 0x009


class Kind(IntEnum):
    """The class of a message, as its two bits stand in the message type (RFC 8489 section 5)."""

    REQUEST = 0x000
    INDICATION = 0x010
    SUCCESS = 0x100
    ERROR = 0x110


class Attr(IntEnum):
    """Types of attributes. Those below 0x8000 must be understood by whoever processes the message."""

    MAPPED_ADDRESS = 0x0001
    USERNAME = 0x0006
    MESSAGE_INTEGRITY = 0x0008
    ERROR_CODE = 0x0009
    UNKNOWN_ATTRIBUTES = 0x000A
    CHANNEL_NUMBER = 0x000C
    LIFETIME = 0x000D
    XOR_PEER_ADDRESS = 0x0012
    DATA = 0x0013
    REALM = 0x0014
    NONCE = 0x0015
    XOR_RELAYED_ADDRESS = 0x0016
    REQUESTED_ADDRESS_FAMILY = 0x0017
    REQUESTED_TRANSPORT = 0x0019
    MESSAGE_INTEGRITY_SHA256 = 0x001C
    PASSWORD_ALGORITHM = 0x001D
    USERHASH = 0x001E
    XOR_MAPPED_ADDRESS = 0x0020
    PRIORITY = 0x0024
    USE_CANDIDATE = 0x0025
    PASSWORD_ALGORITHMS = 0x8002
    SOFTWARE = 0x8022
    ALTERNATE_SERVER = 0x8023
    FINGERPRINT = 0x8028
    ICE_CONTROLLED = 0x8029
    ICE_CONTROLLING = 0x802A


class Address(NamedTuple):
    """A transport address: an IP address, spelt as `ipaddress` spells it so that texts can be compared, and a port."""

    host: str
    port: int

    @classmethod
    def of(cls, host: str, port: int) -> "Address":
        """Of any spelling; raises `ValueError` for what is no IP address, or no port. A zone (``%eth0``) is dropped."""
        if not 0 <= port <= 0xFFFF:
            raise ValueError(f"no such port: {port}")
        ip = ipaddress.ip_address(host.partition("%")[0])
        mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
        return cls(str(mapped or ip), port)

    @property
    def version(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.host else 4

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


Attribute: TypeAlias = tuple[int, bytes]


@frozen
class Message:
    """One message. Attributes are in their order, without those that stand behind the signature."""

    method: Method
    kind: Kind
    transaction_id: bytes
    attributes: tuple[Attribute, ...]
    _raw: bytes = field(default=b"", repr=False)
    _signed: int | None = None
    """Where MESSAGE-INTEGRITY stands in the bytes."""
    _signed_sha256: int | None = None

    def get(self, kind: int) -> bytes | None:
        """The value of the first attribute of a type: further ones are ignored (RFC 8489 section 14)."""
        return next((value for each, value in self.attributes if each == kind), None)

    def number(self, kind: int, size: int = 4) -> int | None:
        """An attribute that is one unsigned number of ``size`` bytes; `StunError` when it has another size."""
        value = self.get(kind)
        if value is not None and len(value) != size:
            raise StunError(f"attribute {kind:#06x} has {len(value)} bytes, not {size}")
        return None if value is None else int.from_bytes(value, "big")

    def address(self, kind: int) -> Address | None:
        """An address, plain or XORed as its type has it; `StunError` when it is malformed."""
        value = self.get(kind)
        if value is None:
            return None
        if len(value) not in (8, 20) or value[1] != (1 if len(value) == 8 else 2):
            raise StunError(f"attribute {kind:#06x} holds no address")
        port, host = int.from_bytes(value[2:4], "big"), value[4:]
        if kind not in (Attr.MAPPED_ADDRESS, Attr.ALTERNATE_SERVER):
            port, host = port ^ COOKIE >> 16, _xor(host, self.transaction_id)
        return Address.of(str(ipaddress.ip_address(host)), port)

    @property
    def error(self) -> tuple[int, str] | None:
        """The code, 300 to 699, and the reason of an error response; `StunError` when it is malformed."""
        value = self.get(Attr.ERROR_CODE)
        if value is None:
            return None
        if len(value) < 4 or not 3 <= value[2] <= 6 or value[3] > 99:
            raise StunError("an error code out of range")
        reason = "".join(filter(str.isprintable, value[4:].decode("utf-8", "replace")))
        return value[2] * 100 + value[3], reason[:MAX_REASON]

    def unknown(self, known: frozenset[int]) -> tuple[int, ...]:
        """Attributes that must be understood and are not among those that are ``known``."""
        return tuple(dict.fromkeys(kind for kind, _ in self.attributes if kind < 0x8000 and kind not in known))

    @property
    def signed(self) -> bool:
        """Whether it has a signature of either kind, good or bad."""
        return self._signed is not None or self._signed_sha256 is not None

    def verify(self, key: bytes) -> bool:
        """Whether it is signed with this key; every signature in it must be right, and there must be one."""
        at, at_sha256 = self._signed, self._signed_sha256
        if at is not None and not _matches(self._raw, at, 20, _sign(self._raw[:at], key)):
            return False
        if at_sha256 is not None:
            size = int.from_bytes(self._raw[at_sha256 + 2 : at_sha256 + 4], "big")
            return _matches(self._raw, at_sha256, size, _sign_sha256(self._raw[:at_sha256], key, size))
        return at is not None


def is_stun(data: bytes) -> bool:
    """Whether a datagram claims to be STUN: the first byte (RFC 7983) and the magic cookie."""
    return len(data) >= HEADER.size and data[0] < 4 and data[4:8] == _COOKIE_BYTES


def decode(data: bytes) -> Message:
    """Read one message, which must fill the datagram. Raises `StunError`."""
    if not HEADER.size <= len(data) <= MAX_MESSAGE + HEADER.size or not is_stun(data):
        raise StunError("no STUN message")
    kind, length, _, transaction_id = HEADER.unpack_from(data)
    if length % 4 or length != len(data) - HEADER.size:
        raise StunError("the length is wrong")
    number = kind & 0x000F | (kind & 0x00E0) >> 1 | (kind & 0x3E00) >> 2
    try:
        method = Method(number)
    except ValueError:
        raise StunError(f"no such method: {number:#05x}") from None
    attributes: list[Attribute] = []
    signed: int | None = None
    signed_sha256: int | None = None
    position = HEADER.size
    for _ in range(MAX_ATTRIBUTES):
        if position == len(data):
            break
        each = int.from_bytes(data[position : position + 2], "big")
        size = int.from_bytes(data[position + 2 : position + 4], "big")
        end = position + 4 + size
        if end + -size % 4 > len(data):
            raise StunError("an attribute is longer than the message")
        if each == Attr.FINGERPRINT:
            if end != len(data) or data[position + 4 :] != _fingerprint(data[:position]):
                raise StunError("the fingerprint is wrong")
        elif each == Attr.MESSAGE_INTEGRITY_SHA256:
            # RFC 8489 section 14.6: it may be cut short, to 16 bytes at least, in steps of four.
            if not 16 <= size <= 32 or size % 4:
                raise StunError("a signature of a wrong size")
            signed_sha256 = position if signed_sha256 is None else signed_sha256
        elif signed_sha256 is None and each == Attr.MESSAGE_INTEGRITY:
            if size != 20:
                raise StunError("a signature of a wrong size")
            signed = position if signed is None else signed
        elif signed is None and signed_sha256 is None:
            attributes.append((each, bytes(data[position + 4 : end])))
        position = end + -size % 4
    if position != len(data):
        raise StunError("too many attributes")
    found = tuple(attributes)
    return Message(method, Kind(kind & 0x0110), transaction_id, found, bytes(data), signed, signed_sha256)


def encode(
    method: Method,
    kind: Kind,
    transaction_id: bytes,
    attributes: Iterable[Attribute] = (),
    *,
    key: bytes | None = None,
    sha256: bool = False,
    fingerprint: bool = True,
) -> bytes:
    """Write a message. With ``key`` it is signed by MESSAGE-INTEGRITY, or by its successor if ``sha256``."""
    body = b"".join(attribute(each, value) for each, value in attributes)
    number = method & 0x000F | (method & 0x0070) << 1 | (method & 0x0F80) << 2 | kind
    data = HEADER.pack(number, len(body), COOKIE, transaction_id) + body
    if key is not None and sha256:
        data += attribute(Attr.MESSAGE_INTEGRITY_SHA256, _sign_sha256(data, key, 32))
    elif key is not None:
        data += attribute(Attr.MESSAGE_INTEGRITY, _sign(data, key))
    if fingerprint:
        data += attribute(Attr.FINGERPRINT, _fingerprint(data))
    return data[:2] + (len(data) - HEADER.size).to_bytes(2, "big") + data[4:]


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute as it stands in a message, filled up to a multiple of four bytes."""
    return pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def number(kind: int, value: int, size: int = 4) -> Attribute:
    """An attribute that is one unsigned number of ``size`` bytes."""
    return kind, value.to_bytes(size, "big")


def xor_address(kind: int, address: Address, transaction_id: bytes) -> Attribute:
    """An XOR-MAPPED-ADDRESS or one of its kind (RFC 8489 section 14.2)."""
    host = ipaddress.ip_address(address.host).packed
    return kind, pack("!HH", 1 if len(host) == 4 else 2, address.port ^ COOKIE >> 16) + _xor(host, transaction_id)


def error_code(code: int, reason: str) -> Attribute:
    """An ERROR-CODE (RFC 8489 section 14.8)."""
    return Attr.ERROR_CODE, pack("!HBB", 0, code // 100, code % 100) + reason.encode()[:MAX_REASON]


def unknown_attributes(kinds: Iterable[int]) -> Attribute:
    """What an error 420 says was not understood."""
    return Attr.UNKNOWN_ATTRIBUTES, b"".join(pack("!H", kind) for kind in kinds)


def long_term_key(username: str, realm: str, password: str) -> bytes:
    """The key of RFC 8489 section 9.2.2 for SHA-1 signatures. MD5 is what the protocol asks for."""
    return hashlib.md5(f"{username}:{realm}:{password}".encode(), usedforsecurity=False).digest()


def _xor(host: bytes, transaction_id: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(host, _COOKIE_BYTES + transaction_id, strict=False))


def _signable(data: bytes, size: int) -> bytes:
    """Up to the signature, with the length that the message has when it ends with it (RFC 8489 section 14.5)."""
    return data[:2] + (len(data) - HEADER.size + 4 + size).to_bytes(2, "big") + data[4:]


def _sign(data: bytes, key: bytes) -> bytes:
    return hmac.digest(key, _signable(data, 20), "sha1")


def _sign_sha256(data: bytes, key: bytes, size: int) -> bytes:
    return hmac.digest(key, _signable(data, size), "sha256")[:size]


def _matches(raw: bytes, position: int, size: int, expected: bytes) -> bool:
    return hmac.compare_digest(raw[position + 4 : position + 4 + size], expected)


def _fingerprint(data: bytes) -> bytes:
    crc = zlib.crc32(data[:2] + (len(data) - HEADER.size + 8).to_bytes(2, "big") + data[4:])
    return (crc ^ _FINGERPRINT_XOR).to_bytes(4, "big")
