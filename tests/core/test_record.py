"""The journal's half that is pure: no secret in it, and a fresh session does with it what the first one did."""

import json
from random import Random

import pytest

from telnyx_core._signalling.token import expiry
from telnyx_core._wire.codec import is_ident
from telnyx_core.actions import OpenSocket, SendText
from telnyx_core.facts import LocalDescribed, SocketClosed, SocketOpened, SourceOpened, TextReceived
from telnyx_core.ids import MediaId, SocketId
from telnyx_core.journal.record import (
    Scrubber,
    action_record,
    call_options_record,
    fact_from_record,
    fact_record,
    options_record,
)
from telnyx_core.journal.recorded_session import Replay, ReplayDiffers
from telnyx_core.options import CallOptions, ClientOptions
from tests.inside import hub_of

SECRETS = ("pa55word", "VSDK-routing", "S-session", "icePWD0123456789", "turn-user", "turn-pass")
SDP = "v=0\r\na=ice-ufrag:abcd\r\na=ice-pwd:icePWD0123456789\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n"


def text(frame: object) -> TextReceived:
    return TextReceived(SocketId(1), json.dumps(frame))


def test_a_secret_has_one_pseudonym_everywhere() -> None:
    scrubber = Scrubber()
    fact = fact_record(text({"id": 1, "method": "x", "voice_sdk_id": "VSDK-routing"}), scrubber)
    url = action_record(
        OpenSocket(SocketId(2), "wss://rtc.telnyx.com/?voice_sdk_id=VSDK-routing&canary=true"), scrubber
    )
    name = json.loads(str(fact["text"]))["voice_sdk_id"]
    assert url["url"] == f"wss://rtc.telnyx.com/?voice_sdk_id={name}&canary=true"


def test_a_debug_frame_names_the_session_by_its_pseudonym() -> None:
    """DBG-010: and a peer, while there is no session, by its own id."""
    scrubber = Scrubber()
    session = scrubber.value({"sessid": "S-session"})
    entry = {"peerId": "S-session", "connectionId": "a-peer"}
    assert scrubber.value(entry) == {"peerId": session["sessid"], "connectionId": "a-peer"}  # type: ignore[index,call-overload]


def test_two_secrets_have_two_pseudonyms() -> None:
    scrubber = Scrubber()
    assert scrubber.name("one") != scrubber.name("two")


def test_planted_secrets_are_in_no_record() -> None:
    scrubber = Scrubber()
    options = ClientOptions(
        login="user",
        password="pa55word",
        ice_servers=[{"urls": "turn:turn.example:3478", "username": "turn-user", "credential": "turn-pass"}],
    )
    frame = {"jsonrpc": "2.0", "id": "1", "method": "login", "params": {"passwd": "pa55word", "sessid": "S-session"}}
    records = [
        options_record(options, scrubber),
        call_options_record(CallOptions(ice_servers=options.ice_servers), scrubber),
        fact_record(text({**frame, "voice_sdk_id": "VSDK-routing", "deep": [{"sdp": SDP}]}), scrubber),
        fact_record(LocalDescribed(MediaId(1), SDP, complete=True), scrubber),
        fact_record(TextReceived(SocketId(1), "pa55word in something that is no JSON"), scrubber),
        action_record(SendText(SocketId(1), json.dumps(frame)), scrubber),
    ]
    written = json.dumps(records)
    assert [secret for secret in SECRETS if secret in written] == []
    assert "192.0.2.1" in written  # what is no secret stays, or a record would help nobody


def test_a_token_keeps_its_expiry_and_nothing_else() -> None:
    token = "eyJhbGciOiJub25lIn0.eyJleHAiOjE5MDAwMDAwMDAsInN1YiI6ImFsaWNlIn0.c2lnbmF0dXJl"
    record = options_record(ClientOptions(login_token=token), Scrubber())
    rebuilt = ClientOptions.from_mapping(record)
    assert rebuilt.login_token is not None
    assert "c2lnbmF0dXJl" not in rebuilt.login_token
    assert "YWxpY2U" not in rebuilt.login_token
    assert expiry(rebuilt.login_token) == 1_900_000_000


def test_options_survive_the_record() -> None:
    options = ClientOptions(
        anonymous_login={"target_id": "assistant-1", "target_params": {"conversation_id": "c"}},
        trickle_ice=True,
        max_reconnect_attempts=3,
        media_permissions_recovery={"enabled": True, "timeout": 7.0},
        ice_servers=[],
    )
    assert ClientOptions.from_mapping(options_record(options, Scrubber())) == options


@pytest.mark.parametrize(
    "fact",
    [
        SocketOpened(SocketId(3), 1e9),
        SocketClosed(SocketId(3), 1006, "gone", clean=False, error="reset"),
        SourceOpened(MediaId(2), "tone"),
        LocalDescribed(MediaId(2), "v=0\r\n", complete=True),
    ],
)
def test_facts_survive_the_record(fact: object) -> None:
    assert fact_from_record(json.loads(json.dumps(fact_record(fact, Scrubber())))) == fact  # type: ignore[arg-type]


@pytest.mark.parametrize("record", [{}, {"is": "Nonsense"}, {"is": "SocketOpened"}, {"is": 3}])
def test_what_is_no_fact_is_refused(record: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"not a"):
        fact_from_record(record)  # type: ignore[arg-type]


def journal_lines() -> list[str]:
    header = {"journal": 1, "seed": "7", "options": {"login_token": "secret-1"}}
    url = {"is": "OpenSocket", "socket": 1, "url": "wss://rtc.telnyx.com/"}
    return [
        json.dumps(header),
        json.dumps({"t": 0.0, "command": "connect", "with": {}}),
        json.dumps({"action": url}),
        json.dumps({"t": 0.5, "command": "hold", "with": {"call": "nope"}, "raised": "InvalidCallState"}),
    ]


def test_a_replay_compares_every_action() -> None:
    assert Replay.from_lines(journal_lines()).check() == 1


def test_a_replay_fails_loudly_where_the_actions_differ() -> None:
    lines = [line.replace("rtc.telnyx.com", "elsewhere.example") for line in journal_lines()]
    with pytest.raises(ReplayDiffers, match=r"line 2[\s\S]*recorded[\s\S]*elsewhere[\s\S]*replayed[\s\S]*telnyx"):
        Replay.from_lines(lines).check()


def test_a_replay_fails_where_a_refusal_differs() -> None:
    lines = [line.replace("InvalidCallState", "NotConnected") for line in journal_lines()]
    with pytest.raises(ReplayDiffers, match="raised InvalidCallState, recorded NotConnected"):
        Replay.from_lines(lines).check()


def test_half_a_last_line_is_what_a_killed_process_leaves() -> None:
    assert Replay.from_lines([*journal_lines(), '{"t":1.0,"fa']).check() == 1


@pytest.mark.parametrize("lines", [[], ["{}"], ["[]"], ['{"journal": 2}'], ["not JSON"]])
def test_what_is_no_journal_is_refused(lines: list[str]) -> None:
    with pytest.raises(ValueError, match="journal"):
        Replay.from_lines(lines)


def test_the_dice_of_a_replay_are_the_recorded_ones() -> None:
    session = Replay.from_lines(journal_lines()).session()
    assert hub_of(session).rng.getrandbits(64) == Random(7).getrandbits(64)


@pytest.mark.parametrize(
    "record",
    [
        {"is": "SocketOpened", "socket": "1", "wall": 1.0},
        {"is": "SocketClosed", "socket": 1, "code": "1006", "reason": "", "clean": False},
        {"is": "LocalDescribed", "media": 1, "sdp": 5, "complete": True},
        {"is": "LocalDescribed", "media": 1, "sdp": "v=0", "complete": "yes"},
    ],
)
def test_a_fact_with_a_member_of_another_type_is_refused(record: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not a "):
        fact_from_record(record)  # type: ignore[arg-type]


def test_k_lines_and_credentials_have_pseudonyms() -> None:
    scrubber = Scrubber()
    assert scrubber.value("v=0\r\nk=clear:icePWD0123456789\r\n") == "v=0\r\nk=secret-1\r\n"
    assert "turn-pass" not in str(scrubber.value({"credential": "turn-pass"}))


@pytest.mark.parametrize("fact", [SocketClosed(SocketId(3), 1008, "token=pa55word", clean=True, error="pwd: pa55word")])
def test_what_a_server_says_when_it_closes_is_searched_too(fact: SocketClosed) -> None:
    assert "pa55word" not in json.dumps(fact_record(fact, Scrubber()))


def test_a_routing_token_has_one_pseudonym_also_where_the_url_spells_it_otherwise() -> None:
    scrubber = Scrubber()
    name = scrubber.name("a+b/c=")
    url = scrubber.url("wss://rtc.telnyx.com/?voice_sdk_id=a%2Bb%2Fc%3D&canary=true")
    assert url == f"wss://rtc.telnyx.com/?voice_sdk_id={name}&canary=true"


def test_an_id_that_the_session_does_not_take_has_a_pseudonym_that_it_does_not_take() -> None:
    assert not is_ident(Scrubber().name("V" * 2_000))
    assert not is_ident(Scrubber().name("V\r\n"))
    assert is_ident(Scrubber().name("V"))
