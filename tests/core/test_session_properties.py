"""What holds whatever happens: the promises of design/architecture.md 1 to 4, from READY with calls in every state.

A script is a list of steps that anybody could take: a server that says anything, an engine and a network that report
anything of handles that are known and handles that are not, an application that asks for anything, time that passes,
and time that jumps back. A second kind of world, which keeps the driver's contract, is in the simulator's tests.
"""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core.actions import Action, Notify, OpenPeer, OpenSocket, SendText
from telnyx_core.errors import LocalProtocolError
from telnyx_core.events import SessionClosed
from telnyx_core.facts import (
    BinaryReceived,
    CandidateFound,
    DigitHeard,
    Fact,
    LocalDescribed,
    MediaHeard,
    NegotiationFailed,
    NetworkChanged,
    PeerStateChanged,
    RemoteApplied,
    RemoteRefused,
    SocketClosed,
    SocketOpened,
    SocketRefused,
    SourceOpened,
    SourceRefused,
    StatsTaken,
    TextReceived,
)
from telnyx_core.ids import CallId, MediaId, SocketId
from telnyx_core.options import CallOptions
from telnyx_core.session import Session
from telnyx_core.stats.snapshot import StatsSnapshot
from telnyx_core.testing.rig import EPOCH, LOCAL_SDP, REATTACH_SDP, REMOTE_SDP, Rig
from telnyx_core.testing.snapshot import snapshot
from tests.inside import hub_of

OPTIONS: list[dict[str, object]] = [
    {},
    {"keepConnectionAliveOnSocketClose": True, "trickleIce": True},
    {"autoReconnect": False},
    {"maxReconnectAttempts": 1, "mediaPermissionsRecovery": {"enabled": True, "timeout": 8_000}},
    {"region": "eu", "useCanaryRtcServer": True, "forceRelayCandidate": True},
]
OUTBOUND = ("new", "requesting", "trying", "ringing", "early", "active", "held")
INBOUND = ("ringing", "answering", "active", "held")
METHODS = (
    "invite", "attach", "ringing", "media", "answer", "display", "bye", "info", "event", "candidate", "endOfCandidates",
    "ping", "punt", "clientReady", "gatewayState", "modify", "nonsense",
)  # fmt: skip
STATES = (
    "REGED", "REGISTER", "NOREG", "UNREGED", "FAILED", "FAIL_WAIT", "TIMEOUT", "DOWN", "TRYING", "EXPIRED", "ATTACHED",
)  # fmt: skip
PEER_STATES = ("new", "connecting", "connected", "disconnected", "failed", "closed")
REPLIES: tuple[JsonObject, ...] = (
    {"result": {}},
    {"result": {"sessid": "session-1", "holdState": "held", "sdp": REMOTE_SDP, "params": {"state": "REGED"}}},
    {"result": {"holdState": "active", "sessid": "session-2", "params": {"state": "FAIL_WAIT"}}},
    {"result": {"params": {"state": "NOREG", "reattached_sessions": []}}},
    {"error": {"code": -32000, "message": "Authentication Required"}},
    {"error": {"code": -32001, "message": "Login Incorrect"}},
    {"error": {"code": -32002, "message": "CALL DOES NOT EXIST", "cause": "X", "causeCode": 27}},
    {"error": "no"},
)

Step = tuple[str, int, int, Json]
Given = tuple[str, tuple[object, ...], float]
"""One input as it was: which method, with what, when."""


class Player:
    """Turns steps into inputs, gives them to a session and keeps both inputs and actions."""

    def __init__(self, options: dict[str, object]) -> None:
        rig = Rig.registered(**options)
        rig.always("ping", {})
        for until in OUTBOUND:
            rig.outbound(until)
        for until in INBOUND:
            rig.inbound(until, f"in-{until}")
        self.session: Session = rig.session
        self.now = rig.now
        self.socket = rig.socket
        self.media = max(media for peers in rig.peers.values() for media in peers)
        self.calls = [*rig.session.calls]
        self.waiting = [*rig._waiting]
        self.given: list[Given] = []
        self.actions: list[Action] = []

    def take(self, step: Step) -> None:
        kind, a, b, value = step
        match kind:
            case "text":
                self.receive(TextReceived(self._socket(a), value if isinstance(value, str) else json.dumps(value)))
            case "says":
                self.says(METHODS[a % len(METHODS)], b, value)
            case "reply" if self.waiting:
                ident = self.waiting.pop(b % len(self.waiting))
                self.receive(TextReceived(self.socket, json.dumps({"id": ident, **REPLIES[a % len(REPLIES)]})))
            case "socket":
                self.receive(self._socket_fact(a, self._socket(b)))
            case "media":
                self.receive(self._media_fact(a, MediaId(b % (self.media + 2))))
            case "network":
                self.receive(NetworkChanged(("offline", "online", "path_changed", "resumed")[a % 4]))
            case "wait":
                self.wait(a / 4)
            case "wake":
                due = self.session.next_timeout()
                self.wait(0.0 if due is None else max(0.0, due - self.now))
            case "back":
                self.receive(BinaryReceived(self.socket, 1), now=self.now - 1 - a)
                self.give("handle_timeout", (), now=self.now - 1 - b)
            case "ask":
                self.ask(a, b)
            case "return":
                self.come_back(a, b)
            case _:
                pass

    def come_back(self, which: int, listed: int) -> None:
        """What real life consists of, and what pure chance hardly meets: a loss, and a login that works."""
        self.receive(SocketClosed(self.socket, 1006, "", clean=False))
        before = self.socket
        self.ask(0, 0)
        if self.socket == before:
            return
        self.receive(SocketOpened(self.socket, EPOCH + self.now))
        self.take(("reply", 1, 0, None))
        if which % 2:
            self.says("clientReady", listed, {"reattached_sessions": [*self.calls[listed % 3 :]]})
        if which % 3:
            self.says("attach", listed, None)

    def says(self, method: str, which: int, value: Json) -> None:
        calls = [*self.calls, "unknown"]
        params: JsonObject = {
            "callID": calls[which % len(calls)],
            "sdp": (REMOTE_SDP, REATTACH_SDP, None, "")[which % 4],
            "state": STATES[which % len(STATES)],
            "candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host",
            "display_number": str(which),
            "eventChannel": calls[which % len(calls)],
            "telnyx_leg_id": f"leg-{which % 3}",
        }
        if which % 3 == 0:
            params["reattached_sessions"] = [*calls[:: which % 4 + 1]]
        if isinstance(value, dict):
            params.update(value)
        frame = {"id": which, "method": f"telnyx_rtc.{method}", "params": params, "voice_sdk_id": f"V{which % 2}"}
        self.receive(TextReceived(self.socket, json.dumps(frame)))

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.give("handle_timeout", (), now=self.now)
        due = self.session.next_timeout()
        assert due is None or due > self.now, self.session.next_timeout_reason()

    def ask(self, which: int, target: int) -> None:
        session = self.session
        calls = [*self.calls, CallId("nobody")]
        call = calls[target % len(calls)]
        commands: list[tuple[str, tuple[object, ...]]] = [
            ("connect", ()),
            ("disconnect", ()),
            ("leave", ()),
            ("login", ({"login_token": "x.y.z"},)),
            ("login", ({"login": "only"},)),
            ("is_registered", ()),
            ("switch_region", ("eu",)),
            ("speed_test", (2_000,)),
            ("speed_test", (0,)),
            ("new_call", (CallOptions(destination_number="bob"),)),
            ("new_call", (CallOptions(destination_number=""),)),
            ("new_call", (CallOptions(destination_number="bob", id=call),)),
            *((name, (call,)) for name in ("answer", "hangup", "hold", "unhold", "toggle_hold")),
            *((name, (call,)) for name in ("resume_media", "reject_media", "flush_report", "restart_media")),
            ("dtmf", (call, "12#")),
            ("dtmf", (call, "x")),
            ("message", (call, "bob", "hi")),
            ("send_conversation_message", (call, "hi")),
            ("set_muted", (call, bool(target % 2))),
            ("set_deaf", (call, bool(target % 2))),
            ("send_ai_item", ({"type": "response.audio_stream.subscribe"},)),
            ("send_ai_item", ({"type": "?"},)),
            ("clear_reconnect_token", ()),
        ]
        name, arguments = commands[which % len(commands)]
        before = snapshot(session)
        try:
            self.give(name, arguments, now=self.now)
        except (LocalProtocolError, ValueError):
            assert snapshot(session) == before, f"{name} was refused and has changed something"

    def receive(self, fact: Fact, *, now: float | None = None) -> None:
        self.give("receive", (fact,), now=self.now if now is None else now)

    def give(self, method: str, arguments: tuple[object, ...], *, now: float) -> None:
        self.given.append((method, arguments, now))
        try:
            hand(self.session, method, arguments, now)
        finally:
            self.drain()

    def drain(self) -> None:
        rests = False
        while (action := self.session.next_action()) is not None:
            self.actions.append(action)
            match action:
                case OpenSocket(socket):
                    rests = False  # somebody had asked to connect again meanwhile
                    self.socket = socket
                    self.waiting.clear()
                case SendText(_, text) if not text.startswith("#SP"):
                    frame = json.loads(text)
                    if "method" in frame and "id" in frame:
                        self.waiting.append(frame["id"])
                case OpenPeer(media, call):
                    self.media = max(self.media, media)
                    if call not in self.calls:
                        self.calls.append(call)
                case Notify(SessionClosed()):
                    rests = True
        if rests:
            at_rest(self.session)

    def _socket(self, which: int) -> SocketId:
        return SocketId(max(0, self.socket + (0, 0, 0, -1, 1)[which % 5]))

    def _socket_fact(self, which: int, socket: SocketId) -> Fact:
        return (
            SocketOpened(socket, EPOCH + self.now),
            SocketOpened(socket, EPOCH - 1e6),
            SocketRefused(socket, "no"),
            SocketClosed(socket, 1006, "", clean=False),
            SocketClosed(socket, 1000, "bye", clean=True),
            SocketClosed(socket, 1006, "", clean=False, error="reset"),
            BinaryReceived(socket, 3),
        )[which % 7]

    def _media_fact(self, which: int, media: MediaId) -> Fact:
        if which % 3 == 0:
            return PeerStateChanged(media, PEER_STATES[which // 3 % len(PEER_STATES)])
        return (
            SourceOpened(media, "line"),
            SourceRefused(media, ("permission", "not_found", "other")[which % 3], "no"),
            LocalDescribed(media, LOCAL_SDP, complete=False),
            LocalDescribed(media, LOCAL_SDP, complete=True),
            CandidateFound(media, "candidate:1 1 udp 1 192.0.2.1 9 typ host", sdp_mid="0", sdp_m_line_index=0),
            NegotiationFailed(media, ("create_offer", "create_answer", "set_local", "other")[which % 4], "no"),
            RemoteApplied(media),
            RemoteRefused(media, "no"),
            MediaHeard(media),
            DigitHeard(media, "5", 0.1),
            StatsTaken(media, StatsSnapshot()),
        )[which % 11]


def hand(session: Session, method: str, arguments: tuple[object, ...], now: float) -> None:
    """Give one input to a session."""
    getattr(session, method)(*arguments, now=now)


def at_rest(session: Session) -> None:
    """Promise 4: a closed session holds nothing."""
    assert session.next_timeout() is None
    assert len(hub_of(session).timers) == 0
    assert not session.calls
    assert not hub_of(session).media
    assert len(hub_of(session).link.requests) == 0
    assert not session.connected


KINDS = (
    "says", "says", "says", "reply", "reply", "media", "media", "media", "ask", "ask", "wake", "wait", "socket",
    "network", "back", "text", "return",
)  # fmt: skip
NUMBERS = st.integers(0, 131)
ODD_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
MEMBERS = st.dictionaries(
    st.sampled_from(["callID", "sdp", "state", "candidate", "dialogParams", "reattached_sessions", "params", "cause",
                     "causeCode", "mediaSettings", "client_state", "sdpMLineIndex", "eventChannel", "type"]),
    ODD_JSON, max_size=3,
)  # fmt: skip
STEPS = st.one_of(
    st.tuples(st.sampled_from(KINDS), NUMBERS, NUMBERS, st.none()),
    st.tuples(st.just("says"), NUMBERS, NUMBERS, MEMBERS),
    st.tuples(st.just("text"), NUMBERS, NUMBERS, st.text() | ODD_JSON),
)
SCRIPTS = st.tuples(st.sampled_from(range(len(OPTIONS))), st.lists(STEPS, max_size=60))


def play(script: tuple[int, list[Step]]) -> Player:
    player = Player(OPTIONS[script[0]])
    for step in script[1]:
        player.take(step)
    return player


def story(seed: int) -> tuple[int, list[Step]]:
    """A script from dice, for where Hypothesis cannot be."""
    rng = Random(seed)
    steps: list[Step] = [
        (KINDS[rng.randrange(len(KINDS))], rng.randrange(132), rng.randrange(132), None) for _ in range(150)
    ]
    return seed % len(OPTIONS), steps


@given(SCRIPTS)
@settings(max_examples=150, deadline=None)
def test_nothing_that_happens_makes_the_core_raise(script: tuple[int, list[Step]]) -> None:
    """Promise 3. On the way: a refused command changes nothing; after waking, the next deadline lies ahead; time that
    runs backwards is harmless; a session that says it has come to rest holds nothing."""
    play(script)


@pytest.mark.parametrize("seed", range(15))
def test_nor_does_a_long_story(seed: int) -> None:
    play(story(seed))


@given(SCRIPTS)
@settings(max_examples=60, deadline=None)
def test_every_story_can_be_brought_to_rest(script: tuple[int, list[Step]]) -> None:
    """Promise 4: `disconnect`, and the last deadline; nobody need say another word."""
    player = play(script)
    player.ask(1, 0)
    for _ in range(200):
        due = player.session.next_timeout()
        if due is None:
            break
        player.wait(max(0.0, due - player.now))
    at_rest(player.session)
    assert player.session.state.value == "idle"


@given(SCRIPTS)
@settings(max_examples=60, deadline=None)
def test_draining_early_or_late_changes_nothing(script: tuple[int, list[Step]]) -> None:
    """Promise 1: what is done with the actions is the driver's business."""
    early = play(script)
    late = Player(OPTIONS[script[0]])
    for method, arguments, now in early.given:
        try:
            hand(late.session, method, arguments, now)
        except (LocalProtocolError, ValueError):
            continue
    late.drain()
    assert late.actions == early.actions
    assert snapshot(late.session) == snapshot(early.session)


@pytest.mark.parametrize("seed", range(5))
def test_the_same_story_has_the_same_actions(seed: int) -> None:
    """Promise 2, in the same process."""
    assert play(story(seed)).actions == play(story(seed)).actions


def fingerprint() -> str:
    """What many stories come to, in a few letters."""
    digest = hashlib.sha256()
    for actions in (*(play(story(seed)).actions for seed in range(5)), good_byes()):
        for action in actions:
            digest.update(repr(action).encode() + getattr(action, "text", "").encode())
    return digest.hexdigest()


def good_byes() -> list[Action]:
    """Where an order is easily lost: several calls that ended meanwhile are named by the server, all at once."""
    rig = Rig.registered()
    calls = [rig.outbound("active", id=f"call-{number}") for number in range(8)]
    rig.lose()
    for call in calls:
        rig.hangup(call)
    rig.clear()
    rig.ready(*calls)
    assert len(rig.frames("bye")) == len(calls)
    return rig.actions


def test_and_so_it_has_in_every_other_process() -> None:
    """Promise 2: the hashes of texts differ from process to process, and no order may depend on them."""
    program = f"import runpy; runpy.run_path({str(Path(__file__))!r}, run_name='told elsewhere')"
    root = str(Path(__file__).parents[2])
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": root},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert found == {fingerprint() + "\n"}


if __name__ == "told elsewhere":
    print(fingerprint())
