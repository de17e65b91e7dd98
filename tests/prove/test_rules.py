"""Each verdict, from frames as they stand in a journal.

The server that the rule describes, one that does otherwise, and one that was not asked.
"""

import re
from pathlib import Path

import pytest

from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_drivers._tools.prove.evidence import STEPS, Evidence, Frame, Session, SocketEnd, Step
from telnyx_drivers._tools.prove.rules import Finding, judge
from telnyx_drivers.diagnose.findings import Probe
from tests.programs import ROOT

CALL = "c1"
OFFER = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 96 101\r\na=rtpmap:96 opus/48000/2\r\na=mid:0\r\n"
REOFFER = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 9\r\na=rtpmap:9 G722/8000\r\na=setup:actpass\r\n"


def said(at: float, method: str, ident: int = 1, **params: Json) -> Frame:
    members: JsonObject = {"callID": CALL, **params}
    return Frame(at, True, 1, {"id": ident, "method": f"telnyx_rtc.{method}", "params": members})


def came(at: float, method: str, **params: Json) -> Frame:
    return Frame(at, False, 1, {"id": 900, "method": f"telnyx_rtc.{method}", "params": {"callID": CALL, **params}})


def reply(at: float, ident: int = 1, **result: Json) -> Frame:
    return Frame(at, False, 1, {"id": ident, "result": {**result}})


def refusal(at: float, ident: int = 1) -> Frame:
    return Frame(at, False, 1, {"id": ident, "error": {"code": -32000, "message": "no"}})


def login(at: float, ident: int = 1, **params: Json) -> Frame:
    return Frame(at, True, 2, {"id": ident, "method": "login", "params": {**params}})


def outage(seconds: float, *after: Frame) -> Session:
    """A call, its socket lost at 5, a login so much later, and what follows."""
    back = 5 + seconds
    again = login(back, 7, sessid="secret-1")
    return Session(frames=(said(1, "invite", sdp=OFFER), again, *after), ends=(SocketEnd(5.0, 1, 1006),))


def found(rule: str, step: Step, *frames: Frame, session: Session | None = None, **seen: Json) -> Finding:
    sessions = (session or Session(frames=frames),)
    findings = judge((Evidence(step=step, sessions=sessions, seen=seen),))
    return next(finding for finding in findings if finding.rule == rule)


ATTACH = came(106, "attach", sdp=REOFFER)
READY = came(106.1, "clientReady", reattached_sessions=[CALL])
TAKEN = reply(105.5, 7, sessid="secret-1")


@pytest.mark.parametrize(
    ("rule", "step", "session", "verdict", "seen"),
    [
        ("PS-001", "away", outage(100, TAKEN, ATTACH, READY), "agrees", "after 100 s"),
        ("PS-001", "away", outage(100, TAKEN, READY), "differs", "no attach came after 100 s"),
        ("PS-001", "away", outage(40, reply(46, 7), ATTACH), "unknown", "not log in again late enough"),
        ("PS-002", "away", outage(100, TAKEN), "agrees", "accepted after 100 s, and kept"),
        ("PS-002", "away", outage(100, reply(105.5, 7, sessid="secret-2")), "differs", "replaced"),
        ("PS-002", "away", outage(100, refusal(105.5, 7)), "differs", "refused after 100 s"),
        (
            "PS-004",
            "drop",
            outage(100, TAKEN, ATTACH, READY),
            "agrees",
            "attach first; reattached_sessions lists call ids",
        ),
        ("PS-004", "drop", outage(100, TAKEN, READY, ATTACH), "differs", "clientReady first"),
        (
            "PS-004",
            "drop",
            outage(100, TAKEN, ATTACH, came(107, "clientReady", reattached_sessions=["secret-1"])),
            "differs",
            "no call id",
        ),
        ("PS-010", "drop", outage(1, reply(6.5, 7), ATTACH), "agrees", "codecs G722"),
        ("PS-010", "drop", outage(1, reply(6.5, 7), came(7, "attach", sdp=OFFER)), "differs", "not actpass"),
    ],
)
def test_what_a_lost_socket_shows(rule: str, step: Step, session: Session, verdict: str, seen: str) -> None:
    """PS-001, PS-002, PS-004, PS-010."""
    finding = found(rule, step, session=session)
    assert (finding.verdict, seen in finding.seen) == (verdict, True), finding


def test_the_longest_absence_counts() -> None:
    """PS-002."""
    sessions = (outage(1, reply(6.5, 7, sessid="secret-1")), outage(100, TAKEN))
    (finding,) = (f for f in judge((Evidence(step="drop", sessions=sessions),)) if f.rule == "PS-002")
    assert finding.seen == "accepted after 100 s, and kept"


@pytest.mark.parametrize(
    ("after", "state", "verdict"),
    [(0.03, "active", "agrees"), (0.03, "held", "differs"), (0.4, "held", "unknown")],
)
def test_a_hold_right_after_the_answer(after: float, state: str, verdict: str) -> None:
    """PS-009."""
    hold = said(2 + after, "modify", 5, action="hold")
    finding = found("PS-009", "talk", came(2, "answer"), hold, reply(2.5, 5, holdState=state))
    assert finding.verdict == verdict
    assert str(round(1000 * after)) in finding.seen


@pytest.mark.parametrize(
    ("rule", "step", "frames", "verdict"),
    [
        ("PS-011", "talk", (said(1, "invite", sdp=OFFER), came(2, "answer", sdp=OFFER)), "agrees"),
        ("PS-011", "talk", (said(1, "invite", sdp=OFFER), came(2, "answer", sdp="a=mid:audio\r\n")), "differs"),
        ("PS-011", "back", (came(2, "invite", sdp=OFFER),), "differs"),
        ("PS-012", "talk", (login(0, login_token="t"), reply(0.1, **{"auth-expires": 1})), "agrees"),
        ("PS-012", "talk", (login(0, login_token="t"), reply(0.1, message="logged in")), "differs"),
        ("PS-012", "talk", (login(0, passwd="p"), reply(0.1, message="logged in")), "unknown"),
        ("PS-015", "drift", (came(31, "ping", serno=3),), "agrees"),
        ("PS-015", "drift", (came(31, "ping"),), "differs"),
        ("PS-015", "drift", (came(31, "answer"),), "unknown"),
        ("PS-022", "talk", (came(1, "ringing"), came(2, "answer")), "agrees"),
        ("PS-022", "talk", (came(1, "media"), came(2, "answer")), "differs"),
        ("PS-023", "talk", (came(1, "answer", variables={"Core-UUID": "u"}),), "agrees"),
        ("PS-023", "talk", (came(1, "answer"),), "differs"),
        ("PS-024", "back", (came(1, "invite", **{"telnyx_rtc_h_X-Telnyx-Rtc-Prove": "inward"}),), "agrees"),
        (
            "PS-024",
            "back",
            (came(1, "invite", dialogParams={"custom_headers": [{"name": "X-Telnyx-Rtc-Prove", "value": "inward"}]}),),
            "agrees",
        ),
        ("PS-024", "back", (came(1, "invite", dialogParams={"custom_headers": []}),), "unknown"),
        ("PS-026", "talk", (came(9, "bye", cause="ALLOTTED_TIMEOUT", causeCode=802),), "agrees"),
        ("PS-026", "talk", (came(9, "bye", cause="ALLOTTED_TIMEOUT", causeCode=602),), "differs"),
        ("PS-026", "talk", (came(9, "bye", cause="NORMAL_CLEARING", causeCode=16),), "unknown"),
        ("PS-027", "codecs", (came(1, "bye", causeCode=88),), "agrees"),
        ("PS-027", "codecs", (came(1, "bye", causeCode=17),), "differs"),
        ("PS-027", "codecs", (came(1, "answer"), came(3, "bye", causeCode=16)), "unknown"),
    ],
)
def test_what_the_frames_of_calls_show(rule: str, step: Step, frames: tuple[Frame, ...], verdict: str) -> None:
    assert found(rule, step, *frames).verdict == verdict


@pytest.mark.parametrize(
    ("reply", "verdict", "seen"),
    [
        ({"message": "SENT"}, "agrees", "SENT"),
        ({"code": -32602, "message": "bad digit"}, "differs", "bad digit"),
        (None, "differs", "no reply"),
    ],
)
def test_digits_with_a_pause_in_them(reply: Json, verdict: str, seen: str) -> None:
    """PS-020."""
    finding = found("PS-020", "talk", digits_reply=reply)
    assert (finding.verdict, seen in finding.seen) == (verdict, True)


@pytest.mark.parametrize(
    ("digits", "sdp", "verdict"),
    [
        ({"caller": "", "callee": ""}, REOFFER, "agrees"),
        ({"caller": "7", "callee": ""}, REOFFER, "differs"),
        ({"caller": "", "callee": ""}, "a=rtpmap:101 telephone-event/8000\r\n", "differs"),
    ],
)
def test_keys_of_the_far_end(digits: Json, sdp: str, verdict: str) -> None:
    """PS-021."""
    assert found("PS-021", "back", came(1, "invite", sdp=sdp), digits_that_came=digits).verdict == verdict


@pytest.mark.parametrize(("heard", "verdict"), [(True, "agrees"), (False, "differs")])
def test_ipv6_candidates(heard: bool, verdict: str) -> None:
    """PS-042."""
    sdp = "a=candidate:1 1 udp 1 2001:db8::1 4000 typ host\r\n"
    assert found("PS-042", "talk", said(1, "invite", sdp=sdp), heard=heard).verdict == verdict
    assert found("PS-042", "talk", said(1, "invite", sdp=OFFER), heard=heard).verdict == "unknown"


def probe(url: str, error: str | None) -> Probe:
    return Probe(layer="server", url=url, host="h", port=1, protocol="tls", error=error)


@pytest.mark.parametrize(
    ("gone", "other", "verdict"),
    [("no answer", None, "agrees"), (None, None, "differs"), ("no answer", "no answer", "differs")],
)
def test_the_stun_and_turn_servers(gone: str | None, other: str | None, verdict: str) -> None:
    """PS-046."""
    asked = (probe("turns:turn2.telnyx.com:443?transport=tcp", gone), probe("stun:stun.telnyx.com:3478", other))
    (finding,) = (f for f in judge((Evidence(step="servers", probes=asked),)) if f.rule == "PS-046")
    assert finding.verdict == verdict


def test_the_region() -> None:
    """PS-047."""
    assert found("PS-047", "talk", region="eu").verdict == "agrees"
    assert found("PS-047", "talk", region="mars").verdict == "differs"
    assert found("PS-047", "talk", region=None).verdict == "unknown"


def test_without_evidence_nothing_is_claimed() -> None:
    empty = tuple(Evidence(step=step, sessions=(Session(frames=()),)) for step in STEPS)
    for evidence in ((), empty):
        assert {finding.verdict for finding in judge(evidence)} == {"unknown"}


def test_every_rule_of_the_specification_is_answered_once() -> None:
    page = Path(ROOT / "docs/spec/production-server.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r'<a id="(PS-\d+)">', page)) == sorted(finding.rule for finding in judge(()))
