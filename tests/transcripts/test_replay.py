"""What the published JS SDK said in recorded sessions, and what this client says in its place. See README.md here."""

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from telnyx_core.actions import Done, Failed
from telnyx_core.events import AiConversation, CallUpdated, ErrorRaised, ServerEvent
from telnyx_core.states import SessionState
from telnyx_core.testing import (
    BARE_SOCKET,
    DELIBERATE,
    ODD_FRAMES,
    OWN_PAST,
    REATTACHED,
    Deliberate,
    Rig,
    Transcript,
    TranscriptDiffers,
    replay,
    replay_roughly,
)
from telnyx_core.testing.differences import VOLATILE, title
from telnyx_core.testing.transcript import Line

TRANSCRIPTS = {path.stem: Transcript.from_file(str(path)) for path in sorted(Path(__file__).parent.glob("*.jsonl"))}
MEANT = {
    "attach": (*DELIBERATE, *REATTACHED),
    "malformed-frames": (*DELIBERATE, *ODD_FRAMES),
    "server-private-candidates": (*DELIBERATE, *OWN_PAST[:1]),
    "server-early-hold": (*DELIBERATE, *OWN_PAST[1:2]),
    "server-variables": (*DELIBERATE, *OWN_PAST[2:]),
    "server-late-session-id": (*DELIBERATE, *BARE_SOCKET),
}


def meant(name: str) -> tuple[Deliberate, ...]:
    return MEANT.get(name, DELIBERATE)


def replayed(name: str) -> Rig:
    return replay(TRANSCRIPTS[name], meant(name)).rig


def states(rig: Rig) -> dict[str, list[str]]:
    """Of every call that was heard of, in order."""
    calls = dict.fromkeys(event.call.id for event in rig.heard_of(CallUpdated))
    return {call: rig.states(call) for call in calls}


SET_UP = ["new", "requesting", "trying", "ringing"]
ENDED = ["hangup", "destroy"]


# The stories. That our client says what the recorded one said, frame by frame, is what `replay` itself holds.


def test_login_by_token() -> None:
    rig = replayed("login-token")
    assert (rig.session.region, rig.session.dc, rig.session.call_report_id) == ("us-central", "ch1", "report-1")
    assert rig.at_rest


def test_anonymous_login() -> None:
    rig = replayed("anonymous-login")
    assert states(rig) == {"call-1": [*SET_UP, "active", *ENDED]}


def test_unreged_trying_reged() -> None:
    rig = replayed("unreged-trying-reged")
    assert rig.state is SessionState.READY
    assert rig.now > 13


def test_outbound_call() -> None:
    rig = replayed("outbound")
    held = ["held", "active"]
    assert states(rig) == {"call-1": [*SET_UP, "early", "active", *held, *held, *ENDED]}
    assert len(rig.outcomes) == 8
    assert all(isinstance(outcome, Done) for outcome in rig.outcomes.values())


def test_display_and_events() -> None:
    rig = replayed("display-and-events")
    heard = [(event.call, event.params.get("eventType")) for event in rig.heard_of(ServerEvent)]
    assert heard == [("call-1", None), ("call-1", "x"), (None, "y"), (None, None)]


def test_inbound_call_answered() -> None:
    rig = replayed("inbound-answered")
    assert states(rig) == {"call-1": ["new", "ringing", "answering", "active", *ENDED]}


def test_inbound_call_rejected_and_another_answered() -> None:
    rig = replayed("inbound-rejected")
    assert states(rig) == {
        "call-1": ["new", "ringing", *ENDED],
        "call-2": ["new", "ringing", "answering", "active", *ENDED],
    }


def test_trickle() -> None:
    rig = replayed("trickle")
    assert states(rig) == {"call-1": [*SET_UP, "active", *ENDED]}
    assert len(rig.frames("candidate")) == 4


def test_idle_drop() -> None:
    rig = replayed("idle-drop")
    assert rig.state is SessionState.READY
    assert len(rig.urls) == 8


def test_attach() -> None:
    rig = replayed("attach")
    assert states(rig) == {"call-1": [*SET_UP, "active", "recovering", "active", *ENDED]}
    assert len(rig.peers[next(iter(rig.peers))]) == 2


def test_server_pings() -> None:
    rig = replayed("server-pings")
    assert len([at for at in rig.times("ping") if round(at) in (15, 30, 45, 60)]) == 4
    assert rig.state is SessionState.READY


def test_malformed_frames() -> None:
    rig = replayed("malformed-frames")
    assert rig.state is SessionState.READY
    assert states(rig) == {}
    assert rig.session.session_id == "session-1"


def test_ai_conversation() -> None:
    rig = replayed("ai-conversation")
    assert len(rig.heard_of(AiConversation)) == 4
    refused = [outcome for outcome in rig.outcomes.values() if isinstance(outcome, Failed)]
    assert [outcome.failure.code for outcome in refused] == [-32601, -32601]


def test_media_recovery() -> None:
    rig = replayed("media-recovery")
    (error,) = rig.heard_of(ErrorRaised)
    assert (error.code, error.recoverable) == (42001, True)
    assert states(rig) == {"call-1": ["new", "ringing", "answering", "active", *ENDED]}


def test_token_refresh() -> None:
    """The token is good for so long that the warning comes 5.5 s into the record: its clock is replayed too."""
    rig = replayed("token-refresh")
    assert rig.codes == [34001]
    assert rig.at_rest


# Flows of the public FreeSWITCH fork, with this client as it was then.


def test_server_flows_end_as_they_did() -> None:
    """Every call that the server ended, or that was hung up, is over; what was attached goes on."""
    ends = {name: [states[-1] for states in states(replayed(name)).values()] for name in TRANSCRIPTS if is_flow(name)}
    assert ends == {
        "server-crash": ["recovering"],
        "server-early-hold": ["destroy"] * 8,
        "server-late-session-id": ["recovering"],
        "server-login-expires": ["active"],
        "server-one-codec": ["active"],
        "server-outbound-echo": ["destroy"],
        "server-private-candidates": ["destroy"] * 2,
        "server-sip-leg": ["destroy"] * 13,
        "server-unanswered-and-told": ["destroy"],
        "server-unanswered-in-silence": ["destroy"],
        "server-variables": ["destroy"],
    }


def is_flow(name: str) -> bool:
    return name.startswith("server-") and name != "server-pings"


def variants(lines: tuple[Line, ...], index: int) -> Iterator[tuple[str, list[Line]]]:
    """The record with one frame of the server's dropped, doubled, swapped with its next, or two seconds late."""
    line, rest = lines[index], [*lines[:index], *lines[index + 1 :]]
    yield "dropped", rest
    yield "doubled", [*lines[: index + 1], *lines[index:]]
    following = next((at for at in range(index + 1, len(lines)) if lines[at].kind == "s2c"), None)
    if following is not None:
        swapped = list(lines)
        swapped[index] = evolve(lines[following], at=line.at)
        swapped[following] = evolve(line, at=lines[following].at)
        yield "swapped", swapped
    late = evolve(line, at=line.at + 2.0)
    before = [other for other in rest if other.at <= late.at]
    yield "delayed", [*before, late, *rest[len(before) :]]


@pytest.mark.parametrize("name", list(filter(is_flow, TRANSCRIPTS)))
def test_a_flow_with_one_frame_gone_wrong_comes_to_one_honest_end(name: str) -> None:
    """Then the server is silent: what it does not end, the client does, once, with a cause; and nothing is left over.

    The rig's ledger sees to handles, tickets and "one end for each call" at every action.
    """
    lines = TRANSCRIPTS[name].lines
    said = [index for index, line in enumerate(lines) if line.kind == "s2c"][:14]
    for index in said:
        for how, changed_lines in variants(lines, index):
            rig = replay_roughly(evolve(TRANSCRIPTS[name], lines=tuple(changed_lines)))
            rig.advance(900.0)
            what = f"{title(lines[index].frame)} ({lines[index].number}) {how}"
            assert not rig.session.calls, what
            assert not rig.ledger.tickets, what
            for call, went in states(rig).items():
                assert went.count("destroy") == 1, (what, went)
                causes = {event.call.ended for event in rig.heard_of(CallUpdated) if event.call.id == call}
                assert len(causes - {None}) == 1, (what, causes)


# A replay of something else fails.


def said_at(name: str) -> list[int]:
    return [index for index, line in enumerate(TRANSCRIPTS[name].lines) if line.kind == "c2s"]


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not members:
        yield path
    for name, member in members:
        yield from leaves(member, (*path, name))


def changed(frame: Any, path: tuple[Any, ...]) -> Any:
    """The frame with another value in this place."""
    if not path:
        match frame:
            case bool():
                return not frame
            case int():
                return frame + 1
            case str():
                return frame + "x"
            case _:
                return "something"
    copy = frame.copy()
    copy[path[0]] = changed(frame[path[0]], path[1:])
    return copy


def compared(name: str, frame: dict[str, Any], path: tuple[Any, ...]) -> bool:
    """Neither a request's id, which is mapped, nor the engine's words, which are played, nor in the tables."""
    dotted = ".".join(map(str, path))
    if dotted == "id" and "method" in frame:
        return False
    if name.startswith("server-") and (title(frame), dotted) == ("telnyx_rtc.invite", "params.dialogParams.callID"):
        return False  # Our client is given the recorded id, and some of these calls end without another word of it.
    if dotted in ("params.sdp", "params.candidate", "params.sdpMid", "params.sdpMLineIndex"):
        return False
    tables = [entry.path for entry in meant(name) if entry.path and fnmatchcase(title(frame), entry.frame)]
    return not any(fnmatchcase(dotted, path) for path in (*tables, *(entry.path for entry in VOLATILE)))


def must_differ(name: str, lines: list[Line], what: str) -> None:
    try:
        replay(evolve(TRANSCRIPTS[name], lines=tuple(lines)), meant(name))
    except TranscriptDiffers:
        return
    pytest.fail(f"not noticed: {what}")


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_a_frame_that_is_missing_or_said_twice_is_noticed(name: str) -> None:
    for index in said_at(name):
        lines = list(TRANSCRIPTS[name].lines)
        must_differ(name, lines[:index] + lines[index + 1 :], f"{lines[index]} is missing")
        if title(lines[index].frame) != "telnyx_rtc.candidate":  # the engine's word: what it finds twice is said twice
            twice = evolve(lines[index], number=-1)
            must_differ(name, [*lines[: index + 1], twice, *lines[index + 1 :]], f"{lines[index]} comes twice")


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_frames_in_another_order_are_noticed(name: str) -> None:
    said = said_at(name)
    for first, second in pairwise(said):
        lines = list(TRANSCRIPTS[name].lines)
        if title(lines[first].frame) != title(lines[second].frame):
            lines[first], lines[second] = lines[second], lines[first]
            must_differ(name, lines, f"{lines[second]} comes late")


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_a_changed_member_is_noticed(name: str) -> None:
    changes = 0
    for index in said_at(name):
        lines = list(TRANSCRIPTS[name].lines)
        line = lines[index]
        for path in leaves(line.frame):
            if compared(name, line.frame, path):
                lines[index] = evolve(line, record={**line.record, "frame": changed(line.frame, path)})
                must_differ(name, lines, f"{path} of {line}")
                changes += 1
    print(f"{name}: {changes} changes noticed")
    assert changes


def test_every_deliberate_difference_is_met() -> None:
    """No entry excuses what does not occur: several that say the same are one."""
    met = {entry.why for name in TRANSCRIPTS for entry in replay(TRANSCRIPTS[name], meant(name)).deliberate}
    assert met == {entry.why for entry in (*DELIBERATE, *REATTACHED, *ODD_FRAMES, *OWN_PAST, *BARE_SOCKET)}


@pytest.mark.parametrize("name", MEANT)
def test_the_special_differences_are_needed_where_they_are_allowed(name: str) -> None:
    with pytest.raises(TranscriptDiffers):
        replay(TRANSCRIPTS[name])


# How a difference is told.


def altered(name: str, old: str, new: str) -> Transcript:
    """The transcript with one text in the place of another, once."""
    text = (Path(__file__).parent / f"{name}.jsonl").read_text(encoding="utf-8")
    assert old in text
    return Transcript.from_lines(text.replace(old, new, 1).splitlines())


def told(transcript: Transcript) -> str:
    with pytest.raises(TranscriptDiffers) as caught:
        replay(transcript)
    return str(caught.value)


def test_a_difference_says_where_what_and_what_came_before() -> None:
    told_of = told(altered("inbound-rejected", '"cause": "USER_BUSY", "causeCode": 17}}}', '"causeCode": 21}}}'))
    assert told_of.splitlines() == [
        "line 13, at 0.249 s of the record, telnyx_rtc.bye",
        "  params.cause",
        "    recorded: (nothing)",
        '    ours:     "USER_BUSY"',
        "  params.causeCode",
        "    recorded: 21",
        "    ours:     17",
        "before it:",
        "      0.085 s  the server: telnyx_rtc.clientReady",
        "      0.085 s  the client: telnyx_rtc.gatewayState",
        "      0.098 s  the server: reply",
        "      0.240 s  the server: telnyx_rtc.invite",
        "      0.240 s  the client: ack telnyx_rtc.invite",
        "      0.247 s  the application: hangup",
    ]


def test_a_frame_that_never_comes() -> None:
    text = told(altered("server-pings", '{"serno": 3}', '{"serno": 3}, "method": "telnyx_rtc.pong"'))
    assert "    ours:     nothing within 5 s" in text.splitlines()


def test_a_command_that_our_client_refuses() -> None:
    text = told(altered("outbound", '"call": "A", "method": "dtmf"', '"op": "newCall", "method": "dtmf"'))
    assert "refused: 44002: destinationNumber is missing" in text


def test_a_socket_with_another_address() -> None:
    text = told(altered("idle-drop", "/?voice_sdk_id=VSDK-1", "/"))
    assert text.splitlines()[1:4] == ["  url", "    recorded: /", "    ours:     /?voice_sdk_id=VSDK-1"]


def test_a_socket_that_only_our_client_closes() -> None:
    transcript = TRANSCRIPTS["login-token"]
    text = told(evolve(transcript, lines=transcript.lines[:-1]))
    assert "    recorded: socket 1 lives on" in text.splitlines()


def test_a_reply_to_nothing_that_was_said() -> None:
    assert "said no such request" in told(altered("outbound", '"id": "request-4", "result"', '"id": "other", "result"'))


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([], "no meta"),
        (['{"dir": "net"}'], "no meta"),
        (["[]"], "line 1: not an object"),
        (['{"t_ms": 1}'], "line 1: a line has a dir and a t_ms"),
        (['{"dir": "meta"}', '{"dir": "c2s", "t_ms": "1"}'], "line 2: a line has a dir and a t_ms"),
        (['{"dir": "meta"}', '{"dir": "c2s", "raw": "x"}'], "line 2: the client said no frame"),
        (['{"dir": "meta"}', '{"dir": "app", "op": "sing"}'], "line 2: the command 'sing'"),
        (['{"dir": "meta"}', '{"dir": "s2c", "sock": 1, "raw": "x"}'], "creates no client"),
        (
            ['{"dir": "meta"}', '{"dir": "app", "op": "create", "options": {}}', '{"dir": "s2c", "raw": "x"}'],
            "line 3: socket 0 has not been opened",
        ),
        (
            ['{"dir": "meta"}', '{"dir": "app", "op": "create"}', '{"dir": "app", "op": "invoke", "method": "login"}'],
            "line 3: the command 'login', with these arguments, cannot be played",
        ),
    ],
)
def test_what_is_no_transcript(lines: list[str], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        replay(Transcript.from_lines(lines))


def test_a_transcript_that_says_no_time_and_lines_that_nobody_plays() -> None:
    """Events and outcomes are the recorded client's own affair, and a naive time is UTC."""
    outcome, look = '{"dir": "app", "ret": 1, "ok": true}', '{"dir": "app", "op": "marks", "call": "A"}'
    begin = ['{"dir": "app", "op": "create", "options": {}}', '{"dir": "ev", "ev": "x"}', outcome, look, ""]
    assert replay(Transcript.from_lines(['{"dir": "meta"}', *begin])).rig.state is SessionState.IDLE
    assert Transcript.from_lines(['{"dir": "meta", "started": "1970-01-01T00:01:00"}', *begin]).began == 60


def test_no_transcript_holds_a_secret_or_a_machine() -> None:
    for path in Path(__file__).parent.glob("*.jsonl"):
        text = path.read_text(encoding="utf-8")
        for line in text.splitlines():
            json.loads(line)
        assert not re.search(r"/(home|root|tmp|work|Users)/|Mozilla|[0-9a-f]{8}-[0-9a-f]{4}-|VSDK[0-9a-f]{8}", text)
        tokens = set(re.findall(r'"login_token": "([^"]+)"', text))
        assert all(token == "made-up-token" or token.endswith(".made-up") for token in tokens)
