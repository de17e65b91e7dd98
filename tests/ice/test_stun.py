"""STUN as bytes: the vectors of RFC 5769, writing and reading, and nothing but `StunError` for all the rest."""

import hashlib
import hmac
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_core.ice import stun
from telnyx_core.ice.stun import Address, Attr, Kind, Method, StunError

PASSWORD = b"VOkJxbRl1RmTxUk/WvJxBt"
REQUEST = """
    00 01 00 58 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae 80 22 00 10 53 54 55 4e 20 74 65 73 74 20 63 6c
    69 65 6e 74 00 24 00 04 6e 00 01 ff 80 29 00 08 93 2f f9 b1 51 26 3b 36 00 06 00 09 65 76 74 6a 3a 68 36 76
    59 20 20 20 00 08 00 14 9a ea a7 0c bf d8 cb 56 78 1e f2 b5 b2 d3 f2 49 c1 b5 71 a2 80 28 00 04 e5 7a 3b cf
"""
RESPONSE_IPV4 = """
    01 01 00 3c 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae 80 22 00 0b 74 65 73 74 20 76 65 63 74 6f 72 20
    00 20 00 08 00 01 a1 47 e1 12 a6 43 00 08 00 14 2b 91 f5 99 fd 9e 90 c3 8c 74 89 f9 2a f9 ba 53 f0 6b e7 d7
    80 28 00 04 c0 7d 4c 96
"""
RESPONSE_IPV6 = """
    01 01 00 48 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae 80 22 00 0b 74 65 73 74 20 76 65 63 74 6f 72 20
    00 20 00 14 00 02 a1 47 01 13 a9 fa a5 d3 f1 79 bc 25 f4 b5 be d2 b9 d9 00 08 00 14 a3 82 95 4e 4b e6 7b f1
    17 84 c9 7c 82 92 c2 75 bf e3 ed 41 80 28 00 04 c8 fb 0b 4c
"""
LONG_TERM = """
    00 01 00 60 21 12 a4 42 78 ad 34 33 c6 ad 72 c0 29 da 41 2e 00 06 00 12 e3 83 9e e3 83 88 e3 83 aa e3 83 83
    e3 82 af e3 82 b9 00 00 00 15 00 1c 66 2f 2f 34 39 39 6b 39 35 34 64 36 4f 4c 33 34 6f 4c 39 46 53 54 76 79
    36 34 73 41 00 14 00 0b 65 78 61 6d 70 6c 65 2e 6f 72 67 00 00 08 00 14 f6 70 24 65 6d d6 4a 3e 02 b8 e0 71
    2e 85 c9 a2 8c a8 96 66
"""
ID = bytes(range(12))


def raw(text: str) -> bytes:
    return bytes.fromhex(text)


def test_the_request_of_rfc_5769() -> None:
    message = stun.decode(raw(REQUEST))
    assert (message.method, message.kind) == (Method.BINDING, Kind.REQUEST)
    assert message.transaction_id.hex() == "b7e7a701bc34d686fa87dfae"
    assert message.get(Attr.USERNAME) == b"evtj:h6vY"
    assert message.get(Attr.SOFTWARE) == b"STUN test client"
    assert message.number(Attr.PRIORITY) == 0x6E0001FF
    assert message.number(Attr.ICE_CONTROLLED, 8) == 0x932FF9B151263B36
    assert message.verify(PASSWORD)
    assert not message.verify(PASSWORD[:-1])


@pytest.mark.parametrize(
    ("vector", "address"),
    [
        (RESPONSE_IPV4, Address("192.0.2.1", 32853)),
        (RESPONSE_IPV6, Address("2001:db8:1234:5678:11:2233:4455:6677", 32853)),
    ],
)
def test_the_responses_of_rfc_5769(vector: str, address: Address) -> None:
    message = stun.decode(raw(vector))
    assert message.kind is Kind.SUCCESS
    assert message.address(Attr.XOR_MAPPED_ADDRESS) == address
    assert message.verify(PASSWORD)
    # Written again from its parts: the vector, but for the padding, which it fills with spaces.
    again = stun.encode(message.method, message.kind, message.transaction_id, message.attributes, key=PASSWORD)
    assert stun.decode(again).verify(PASSWORD)
    assert stun.xor_address(Attr.XOR_MAPPED_ADDRESS, address, message.transaction_id) in message.attributes


def test_the_request_with_a_long_term_key_of_rfc_5769() -> None:
    message = stun.decode(raw(LONG_TERM))
    assert message.get(Attr.REALM) == b"example.org"
    key = stun.long_term_key("マトリックス", "example.org", "TheMatrIX")
    assert message.verify(key)
    again = stun.encode(
        message.method, message.kind, message.transaction_id, message.attributes, key=key, fingerprint=False
    )
    assert again == raw(LONG_TERM)


@pytest.mark.parametrize("vector", [REQUEST, RESPONSE_IPV4, RESPONSE_IPV6])
def test_no_bit_of_a_signed_message_may_change(vector: str) -> None:
    data = raw(vector)
    whole = stun.decode(data)
    for position in range(len(data) * 8):
        changed = bytearray(data)
        changed[position // 8] ^= 1 << position % 8
        try:
            message = stun.decode(bytes(changed))
        except StunError:
            continue
        # The type of the fingerprint alone is not covered: it is then an attribute behind the signature, passed over.
        assert position // 8 in (len(data) - 8, len(data) - 7) or not message.verify(PASSWORD), position
        assert not message.verify(PASSWORD) or message.attributes == whole.attributes


def test_a_signature_of_sha_256() -> None:
    data = stun.encode(
        Method.BINDING, Kind.REQUEST, ID, [(Attr.USERNAME, b"a:b")], key=b"key", sha256=True, fingerprint=False
    )
    assert stun.decode(data).verify(b"key")
    assert not stun.decode(data).verify(b"another")
    # By hand (RFC 8489 section 14.6), the whole and cut short to sixteen bytes.
    assert data[-32:] == hmac.digest(b"key", data[:-36], "sha256")
    body = data[20:-36]
    header = b"\0\1" + (len(body) + 20).to_bytes(2, "big") + data[4:20]
    cut = header + body + b"\0\x1c\0\x10" + hmac.digest(b"key", header + body, hashlib.sha256)[:16]
    assert stun.decode(cut).verify(b"key")
    assert not stun.decode(cut).verify(b"other")


def test_every_signature_must_be_right() -> None:
    one = stun.encode(Method.BINDING, Kind.REQUEST, ID, key=b"key", fingerprint=False)
    for second, good in ((b"key", True), (b"wrong", False)):
        header = one[:2] + (len(one) - 20 + 36).to_bytes(2, "big") + one[4:]
        both = header + stun.attribute(Attr.MESSAGE_INTEGRITY_SHA256, hmac.digest(second, header, "sha256"))
        # The first signature is over the message as it was when that was its end.
        message = stun.decode(both)
        assert message.signed
        assert message.verify(b"key") is good


def test_without_a_signature_nothing_is_verified() -> None:
    assert not stun.decode(stun.encode(Method.BINDING, Kind.REQUEST, ID)).verify(b"")


def test_what_stands_behind_the_signature_is_not_believed() -> None:
    data = stun.encode(Method.BINDING, Kind.REQUEST, ID, key=b"key", fingerprint=False)
    more = stun.attribute(Attr.USE_CANDIDATE, b"")
    message = stun.decode(data[:2] + (len(data) - 20 + len(more)).to_bytes(2, "big") + data[4:] + more)
    assert message.get(Attr.USE_CANDIDATE) is None


def test_the_first_of_two_counts() -> None:
    twice = [(Attr.NONCE, b"one"), (Attr.NONCE, b"two")]
    assert stun.decode(stun.encode(Method.BINDING, Kind.ERROR, ID, twice)).get(Attr.NONCE) == b"one"


def test_attributes_that_must_be_understood() -> None:
    strange = [(0x7777, b""), (0x8777, b""), (Attr.USERNAME, b"a"), (0x7777, b"")]
    message = stun.decode(stun.encode(Method.BINDING, Kind.REQUEST, ID, strange))
    assert message.unknown(frozenset({Attr.USERNAME})) == (0x7777,)
    assert stun.unknown_attributes([0x7777]) == (Attr.UNKNOWN_ATTRIBUTES, b"\x77\x77")


@pytest.mark.parametrize("code", [300, 420, 487, 699])
def test_errors(code: int) -> None:
    message = stun.decode(stun.encode(Method.BINDING, Kind.ERROR, ID, [stun.error_code(code, "why\n" + "x" * 500)]))
    assert message.error == (code, "why" + "x" * 124)


def signed(value: bytes) -> stun.Message:
    return stun.decode(stun.encode(Method.BINDING, Kind.ERROR, ID, [(Attr.ERROR_CODE, value)]))


@pytest.mark.parametrize("value", [b"", b"\0\0\4", b"\0\0\2\0", b"\0\0\7\0", b"\0\0\4\x64"])
def test_error_codes_out_of_range(value: bytes) -> None:
    with pytest.raises(StunError):
        signed(value).error  # noqa: B018


@pytest.mark.parametrize(
    "value", [b"", b"\0\1\0\0\1\2\3", b"\0\2\0\0\1\2\3\4", b"\0\1" + bytes(18), b"\0\3" + bytes(6), bytes(8)]
)
def test_what_is_no_address(value: bytes) -> None:
    message = stun.decode(stun.encode(Method.BINDING, Kind.SUCCESS, ID, [(Attr.XOR_MAPPED_ADDRESS, value)]))
    with pytest.raises(StunError):
        message.address(Attr.XOR_MAPPED_ADDRESS)


def test_numbers_have_their_size() -> None:
    message = stun.decode(stun.encode(Method.BINDING, Kind.REQUEST, ID, [(Attr.PRIORITY, b"\1\2")]))
    with pytest.raises(StunError):
        message.number(Attr.PRIORITY)
    assert message.number(Attr.LIFETIME) is None


def framed(body: bytes, *, length: int | None = None, kind: int = 1) -> bytes:
    size = len(body) if length is None else length
    return stun.HEADER.pack(kind, size, stun.COOKIE, ID) + body


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no STUN"),
        (framed(b"")[:-1], "no STUN"),
        (b"\x40" + framed(b"")[1:], "no STUN"),
        (framed(b"").replace(b"\x21\x12", b"\x21\x13"), "no STUN"),
        (framed(b"\0\0\0"), "length"),
        (framed(b"", length=4), "length"),
        (framed(b"", kind=0x0002), "method"),
        (framed(b"\0\6\0\5abcd"), "longer"),
        (framed(b"\0\6\0\0" * 33), "too many"),
        (framed(b"\0\x08\0\x04abcd"), "size"),
        (framed(b"\0\x1c\0\x04abcd"), "size"),
        (framed(b"\x80\x28\0\4abcd"), "fingerprint"),
        (framed(b"\x80\x28\0\0"), "fingerprint"),
    ],
)
def test_what_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(StunError, match=why):
        stun.decode(data)


def test_the_most_attributes_that_are_read() -> None:
    assert len(stun.decode(framed(b"\0\6\0\0" * 32)).attributes) == 32


def test_the_fingerprint_is_the_last() -> None:
    data = stun.encode(Method.BINDING, Kind.REQUEST, ID)
    assert data[-4:] == (zlib.crc32(data[:-8]) ^ 0x5354554E).to_bytes(4, "big")
    longer = data[:2] + (12).to_bytes(2, "big") + data[4:] + b"\0\6\0\0"
    with pytest.raises(StunError, match="fingerprint"):
        stun.decode(longer)


@pytest.mark.parametrize(
    ("host", "spelt"),
    [
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("10.0.0.1", "10.0.0.1"),
    ],
)
def test_addresses_have_one_spelling(host: str, spelt: str) -> None:
    assert Address.of(host, 9).host == spelt
    assert Address.of(host, 9).version == (6 if ":" in spelt else 4)


@pytest.mark.parametrize(("host", "port"), [("example.org", 1), ("", 1), ("1.2.3", 1), ("1.2.3.4", -1), ("::", 65536)])
def test_what_is_no_transport_address(host: str, port: int) -> None:
    with pytest.raises(ValueError, match=r"."):
        Address.of(host, port)


addresses = st.builds(Address.of, st.ip_addresses().map(str), st.integers(0, 65_535))
attributes = st.lists(st.tuples(st.integers(0x30, 0x7FFF), st.binary(max_size=40)), max_size=20)


@given(
    method=st.sampled_from(Method),
    kind=st.sampled_from(Kind),
    transaction_id=st.binary(min_size=12, max_size=12),
    given=attributes,
    address=addresses,
    key=st.none() | st.binary(min_size=1, max_size=40),
    sha256=st.booleans(),
    fingerprint=st.booleans(),
)
def test_what_is_written_is_read_again(
    method: Method,
    kind: Kind,
    transaction_id: bytes,
    given: list[tuple[int, bytes]],
    address: Address,
    key: bytes | None,
    sha256: bool,
    fingerprint: bool,
) -> None:
    whole = [*given, stun.xor_address(Attr.XOR_MAPPED_ADDRESS, address, transaction_id)]
    data = stun.encode(method, kind, transaction_id, whole, key=key, sha256=sha256, fingerprint=fingerprint)
    assert stun.is_stun(data)
    message = stun.decode(data)
    assert (message.method, message.kind, message.transaction_id) == (method, kind, transaction_id)
    assert list(message.attributes) == whole
    assert message.address(Attr.XOR_MAPPED_ADDRESS) == address
    assert message.signed is (key is not None)
    assert key is None or message.verify(key)


@given(st.binary(max_size=80), st.integers(0, 0x3FFF))
def test_whatever_comes_is_a_message_or_a_stun_error(body: bytes, kind: int) -> None:
    data = stun.HEADER.pack(kind, len(body) & ~3, stun.COOKIE, ID) + body[: len(body) & ~3]
    try:
        message = stun.decode(data)
        for each in Attr:
            message.get(each)
            message.number(each)
            message.address(each)
        message.error  # noqa: B018
        message.verify(b"key")
    except StunError:
        pass
