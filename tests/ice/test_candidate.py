"""Candidates and credentials as they stand in a description (RFC 8839), and the orders that they have."""

import contextlib
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_core.ice import Address, Candidate, CandidateError, CandidateType, Credentials, in_server_order
from telnyx_core.ice.candidate import foundation_of, local_candidate, priority_of

HOST = "candidate:1 1 udp 2130706431 203.0.113.7 40000 typ host"


def test_a_line_of_a_browser() -> None:
    line = (
        "a=candidate:842163049 1 UDP 1677729535 198.51.100.4 51234 typ srflx raddr 10.0.0.2 rport 51234 "
        "generation 0 ufrag sXP5 network-id 1 network-cost 10"
    )
    candidate = Candidate.parse(line)
    assert candidate == Candidate(
        "842163049",
        1,
        "udp",
        1677729535,
        Address("198.51.100.4", 51234),
        CandidateType.SERVER_REFLEXIVE,
        Address("10.0.0.2", 51234),
    )
    assert Candidate.parse(str(candidate)) == candidate


@pytest.mark.parametrize(
    "line",
    [HOST.removeprefix("candidate:"), HOST.replace(" ", "  "), HOST.replace("candidate:1 ", "candidate:H_1.2-a ")],
)
def test_what_real_servers_write_is_read(line: str) -> None:
    """MEDIA-111, and what the descriptions of the corpus have; a refusal would cost the call."""
    assert Candidate.parse(line).address == Address("203.0.113.7", 40000)


def test_a_related_name_is_left_out() -> None:
    assert Candidate.parse(f"{HOST} raddr a.local rport 9").related is None


def test_tcp_is_read_so_that_it_can_be_passed_over() -> None:
    assert Candidate.parse("candidate:1 1 TCP 1 203.0.113.7 9 typ host tcptype active").transport == "tcp"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "candidate:",
        HOST.replace("candidate:1 1", "candidate:1 0"),
        HOST.replace("candidate:1 1", "candidate:1 257"),
        HOST.replace("candidate:1 ", "candidate:<b> "),
        HOST.replace("2130706431", "4294967296"),
        HOST.replace("203.0.113.7", "fe80::1%eth0"),
        HOST.replace("203.0.113.7", "7b8e6c0a-2c5d.local"),
        HOST.replace("203.0.113.7", "203.0.113.777"),
        HOST.replace("40000", "65536"),
        HOST.replace("typ host", "typ token"),
        HOST.replace("typ host", ""),
        f"{HOST} {'x' * 1024}",
        f"{HOST}\r\na=inactive",
    ],
)
def test_what_is_no_candidate(line: str) -> None:
    with pytest.raises(CandidateError):
        Candidate.parse(line)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    for line in (text, f"candidate:{text}", f"{HOST}{text}"):
        with contextlib.suppress(CandidateError):
            assert Candidate.parse(str(Candidate.parse(line))).address


@pytest.mark.parametrize(
    ("ufrag", "password"), [("", "p" * 22), ("abcd", ""), ("abcd", "p p"), ("ab:d", "p" * 22), ("a" * 257, "p" * 22)]
)
def test_credentials_keep_the_grammar(ufrag: str, password: str) -> None:
    with pytest.raises(CandidateError):
        Credentials(ufrag, password)


def test_fresh_credentials_show_no_password() -> None:
    one, other = Credentials.fresh(Random(1)), Credentials.fresh(Random(2))
    assert one != other
    assert one.password not in repr(one)
    assert (len(one.ufrag), len(one.password)) == (8, 24)


def test_priorities_and_foundations() -> None:
    """RFC 8445 sections 5.1.2.1 and 5.1.1.3."""
    assert priority_of(CandidateType.HOST, 65_535) == 2130706431
    kinds = [CandidateType.HOST, CandidateType.PEER_REFLEXIVE, CandidateType.SERVER_REFLEXIVE, CandidateType.RELAYED]
    values = [priority_of(kind, 65_535 - place) for place, kind in enumerate(kinds)]
    assert values == sorted(values, reverse=True)
    same = foundation_of(CandidateType.HOST, "10.0.0.1")
    assert foundation_of(CandidateType.HOST, "10.0.0.1") == same
    assert same not in (
        foundation_of(CandidateType.HOST, "10.0.0.2"),
        foundation_of(CandidateType.SERVER_REFLEXIVE, "10.0.0.1"),
        foundation_of(CandidateType.SERVER_REFLEXIVE, "10.0.0.1", "192.0.2.1"),
    )


def test_a_hidden_base_is_all_zeros() -> None:
    """RFC 8839 section 5.1."""
    relayed, base = Address("203.0.113.9", 50000), Address("10.0.0.2", 40000)
    hidden = local_candidate(CandidateType.RELAYED, relayed, base, 1, hidden=True)
    assert str(hidden).endswith("typ relay raddr 0.0.0.0 rport 9")
    assert "10.0.0.2" in str(local_candidate(CandidateType.RELAYED, relayed, base, 1))
    v6 = local_candidate(CandidateType.RELAYED, Address("2606::9", 5), Address("fd00::2", 4), 1, hidden=True)
    assert str(v6).endswith("raddr :: rport 9")


def test_the_order_for_a_server_that_takes_the_first() -> None:
    """PS-040: server-reflexive, relayed, host, IPv4 first, and what its access list refuses at the end."""

    def one(kind: CandidateType, host: str) -> Candidate:
        return local_candidate(kind, Address.of(host, 1), Address("10.0.0.1", 1), 65_535)

    private = one(CandidateType.HOST, "10.0.0.1")
    docker = one(CandidateType.HOST, "172.17.0.1")
    carrier = one(CandidateType.SERVER_REFLEXIVE, "100.64.0.9")
    mapped = one(CandidateType.SERVER_REFLEXIVE, "8.8.8.8")
    relayed = one(CandidateType.RELAYED, "9.9.9.9")
    public = one(CandidateType.HOST, "8.8.4.4")
    v6 = one(CandidateType.HOST, "2606:4700::1")
    given = [v6, private, docker, carrier, public, relayed, mapped]
    assert in_server_order(given) == [mapped, relayed, public, v6, carrier, private, docker]
    assert in_server_order(reversed(given))[:4] == [mapped, relayed, public, v6]
