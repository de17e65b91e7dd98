"""The server's half of a recorded session, played to a fresh client on a virtual clock.

```python
def test_the_session_that_went_wrong() -> None:
    rig = replay(Transcript.from_file("session.jsonl")).rig
    assert rig.state is SessionState.READY
```

The application's commands, the server's frames and the events of the sockets come at their recorded times. Our client
must send what the recorded one sent, in the same order; `telnyx_core.testing.differences` says what is compared. If our
client takes longer, because of a random delay for example, everything behind is delayed as much. The media engine is
the recorded one, too: its descriptions are those of the recorded client's frames, at their times.
"""

import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Final, cast
from urllib.parse import urlsplit

from attrs import field, frozen

from telnyx_core._options.parsing import build
from telnyx_core._signalling import messages as m
from telnyx_core._wire.codec import call_id, encode, integer, mapping, string
from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core.actions import AbandonSocket, Action, ApplyRemote, CloseSocket, OpenSource, SendDigits, SendText
from telnyx_core.errors import LocalProtocolError
from telnyx_core.facts import (
    CandidateFound,
    DigitsSent,
    Fact,
    LocalDescribed,
    MediaHeard,
    PeerStateChanged,
    RemoteApplied,
    SocketClosed,
    SocketOpened,
    SourceFault,
    SourceOpened,
    SourceRefused,
    TextReceived,
)
from telnyx_core.ids import CallId, MediaId, SocketId
from telnyx_core.options import CallOptions
from telnyx_core.testing.differences import (
    DELIBERATE,
    NOTHING,
    Deliberate,
    Difference,
    differences,
    meant_alone,
    title,
)
from telnyx_core.testing.rig import Rig
from telnyx_core.testing.transcript import Line, Transcript

PATIENCE: Final = 5.0
"""Seconds of virtual time that our client may take longer for a frame than the recorded one."""
SOCKET_PATIENCE: Final = 60.0
"""The same for a new socket: the random part of the backoff differs from client to client."""
_SOON: Final = 1.6
"""Seconds: our client may take so much longer for a ping that the replay waits for."""
_NOW: Final = 0.5
"""Seconds between two things that happen at the same time."""
_CONTEXT: Final = 6
"""A difference shows so many things that happened before it."""
_SOURCE_FAULTS: Final[Mapping[str, SourceFault]] = {"NotAllowedError": "permission", "NotFoundError": "not_found"}
"""Names of W3C ``getUserMedia`` errors."""
_ONLY_LOOKING: Final = frozenset({"audioTracks", "get", "marks", "rtp", "storage"})
"""Calls of a recorded application that only read its client's state and sent no frame."""
_NO_MORE: Final = "v=0\r\n"
"""The description at the end of trickling: its candidates were told one by one."""


class TranscriptDiffers(AssertionError):
    """Our client said something else than the recorded one: what was recorded, what came instead, and before it."""


@frozen
class Replayed:
    rig: Rig
    """As it is at the end, for a look at states and events."""
    deliberate: frozenset[Deliberate] = field(repr=False)
    """The deliberate differences that were met."""


def replay_roughly(transcript: Transcript) -> Rig:
    """Play the server's half and the application's, whatever our client makes of it: nothing is compared.

    For records that were changed: a reply to what was not asked is left out, as is a command that is refused, and a
    socket that our client does not want. From the end on the server is silent; let time pass, and look at the rig.
    """
    player = _RoughPlayer(transcript, ())
    player.play()
    return player.rig


def replay(transcript: Transcript, deliberate: Iterable[Deliberate] = DELIBERATE) -> Replayed:
    """Play it all. ``deliberate`` are the differences from the recorded client that are meant.

    Raises `TranscriptDiffers` for any other, and `ValueError` for a line that cannot be played.
    """
    player = _Player(transcript, tuple(deliberate))
    player.play()
    return Replayed(player.rig, frozenset(player.met))


class _Player:
    """One replay. What our client says is compared as it says it; a frame that was recorded is a moment to wait for."""

    def __init__(self, transcript: Transcript, deliberate: tuple[Deliberate, ...]) -> None:
        self.met: set[Deliberate] = set()
        self._lines = deque(transcript.lines)
        """What is still to come."""
        self._began = transcript.began
        self._deliberate = deliberate
        self._expected = deque(line for line in transcript.lines if line.kind == "c2s")
        """What the recorded client said and ours has not said yet."""
        self._ids: dict[str, Json] = {}
        """The recorded client's request ids, and ours in their place."""
        self._sockets: dict[int, SocketId] = {}
        self._calls: dict[str, CallId] = {}
        """The transcript's names of calls."""
        self._fault: SourceFault | None = None
        self._awaited: Line | None = None
        """What the recorded client said at the point that the replay has come to."""
        self._late = 0.0
        """Seconds that our client has taken longer so far."""
        self._before: deque[str] = deque(maxlen=_CONTEXT)
        self._rig: Rig | None = None

    @property
    def rig(self) -> Rig:
        if self._rig is None:
            raise ValueError("the transcript creates no client, or too late")
        return self._rig

    def play(self) -> None:
        kinds = {"app": self._app, "net": self._net, "s2c": self._server_says, "c2s": self._client_said}
        while self._lines:
            line = self._lines.popleft()
            if line.kind in kinds:
                if self._rig is not None:
                    self._rig.advance_to(line.at + self._late)
                kinds[line.kind](line)

    # The lines.

    def _app(self, line: Line) -> None:
        op = string(line.record, "op")
        if "ret" in line.record or op in _ONLY_LOOKING:
            return
        what = string(line.record, "method") or op or ""
        self._note(f"the application: {what}")
        try:
            self._command(line)
        except LocalProtocolError as error:
            raise self._differ(line, Difference("", what, f"refused: {error}")) from error

    def _net(self, line: Line) -> None:
        rig, what = self.rig, string(line.record, "what")
        if what in ("offline", "online"):
            self._note(f"the network is {what}")
            rig.network("offline" if what == "offline" else "online")
        elif what == "ws.open":
            last = max(self._sockets.values(), default=SocketId(0))
            self._wait(lambda: rig.socket > last, line, "a new socket", SOCKET_PATIENCE)
            self._sockets[line.socket] = rig.socket
            self._compare_url(line)
            self._note(f"socket {line.socket} opens")
            rig.tell(SocketOpened(rig.socket, self._began + rig.now))
        elif what == "ws.closed":
            code, reason = integer(line.record, "code") or 1006, string(line.record, "reason") or ""
            self._note(f"socket {line.socket} closes with {code}")
            rig.tell(SocketClosed(self._socket(line), code, reason, clean=code != 1006))

    def _server_says(self, line: Line) -> None:
        raw, frame = line.record.get("raw"), line.frame
        if isinstance(raw, str):
            text = raw
            self._note(f"the server: {text[:60]!r}")
        else:
            ident = frame.get("id")
            if "method" not in frame and isinstance(ident, str):
                if ident not in self._ids:
                    raise self._differ(line, Difference("id", ident, "said no such request"))
                frame = {**frame, "id": self._ids[ident]}
            text = encode(frame)
            self._note(f"the server: {title(frame)}")
        self.rig.tell(TextReceived(self._socket(line), text))

    def _client_said(self, line: Line) -> None:
        """By now ours has said it too, or says it soon."""
        if line in self._expected:
            self._describe(line.frame)
        self._awaited = line
        self._wait(lambda: line not in self._expected, line, _brief(line.frame))

    # What our client says.

    def _ours(self, socket: SocketId, frame: JsonObject) -> bool:
        """False: ours says it alone. A ping is such a one unless the recorded client said one now, too."""
        name = title(frame)
        line = self._expected[0] if self._expected else None
        said = line is not None and title(line.frame) == name and self._sockets.get(line.socket) == socket
        patience = _SOON if line is not None and line is self._awaited else _NOW
        due = line is not None and abs(line.at + self._late - self.rig.now) < patience
        if line is not None and said and (name != m.PING or due):
            self._expected.popleft()
            self._compare(line, frame)
            return True
        if alone := meant_alone(frame, self._deliberate):
            self.met.add(alone)
            self._note(f"our client alone: {name}")
            return False
        raise self._differ(line, Difference("", NOTHING if line is None else _brief(line.frame), _brief(frame)))

    def _compare(self, line: Line, ours: JsonObject) -> None:
        ident, own = line.frame.get("id"), ours.get("id")
        if "method" in line.frame and isinstance(ident, str) and isinstance(own, str):
            self._ids[ident] = own
            ours = {**ours, "id": ident}
        found, met = differences(line.frame, ours, self._deliberate)
        if found:
            raise self._differ(line, *found)
        self.met |= met
        self._note(f"the client: {title(ours)}")

    def _let_go(self, socket: SocketId) -> None:
        """Of a socket on which the recorded client said more: ours has given it up."""
        number = next((number for number, ours in self._sockets.items() if ours == socket), 0)
        if not number:
            return  # It never opened: a network that was away is not in the record.
        rest = [line for line in self._lines if line.socket == number and line.kind != "s2c"]
        if not rest or rest[0].kind != "net":
            raise self._differ(next(iter(rest), None), Difference("", f"socket {number} lives on", "closes it"))

    def _compare_url(self, line: Line) -> None:
        """The path and the query, where they were recorded: the routing token is there (SIG-013)."""
        recorded, url = string(line.record, "url"), urlsplit(self.rig.urls[-1])
        ours = f"{url.path or '/'}?{url.query}".removesuffix("?")
        if recorded is not None and recorded != ours:
            raise self._differ(line, Difference("url", recorded, ours))

    # The world.

    def _reflex(self, action: Action) -> Iterable[Fact]:
        """A healthy engine, and what is compared on its way out."""
        match action:
            case SendText(socket, text):
                frame = cast("JsonObject", json.loads(text))
                if not self._ours(socket, frame) and title(frame) == m.PING:
                    pong: JsonObject = {"jsonrpc": "2.0", "id": frame["id"], "result": {"message": "PONG"}}
                    yield TextReceived(socket, encode(pong))
            case CloseSocket(socket) | AbandonSocket(socket):
                self._let_go(socket)
            case OpenSource(media):
                fault = self._fault
                yield SourceOpened(media, "line") if fault is None else SourceRefused(media, fault, "as recorded")
            case ApplyRemote(media, kind):
                yield RemoteApplied(media)
                if kind == "answer":
                    yield from _connected(media)
            case SendDigits(media):
                yield DigitsSent(media)
            case _:
                pass

    def _describe(self, frame: JsonObject) -> None:
        """What the recorded client's engine had found when this frame was sent."""
        rig, params = self.rig, mapping(frame, "params")
        call = call_id(params)
        media = next(reversed(rig.peers.get(call, [])), None) if call is not None else None
        book = None if media is None else rig.ledger.peers.get(media)
        if media is None or book is None:
            return
        match frame.get("method"):
            case m.CANDIDATE:
                mid, index = string(params, "sdpMid") or "", integer(params, "sdpMLineIndex") or 0
                candidate = string(params, "candidate") or ""
                rig.tell(CandidateFound(media, candidate, sdp_mid=mid, sdp_m_line_index=index))
            case m.END_OF_CANDIDATES:
                self._described(media, _NO_MORE, complete=True)
            case _ if book.description == "asked" and (sdp := string(params, "sdp")) is not None:
                self._described(media, sdp, complete=params.get("trickle") is not True)
            case _:
                pass

    def _described(self, media: MediaId, sdp: str, *, complete: bool) -> None:
        answers = self.rig.ledger.peers[media].config.role == "answer"
        self.rig.tell(LocalDescribed(media, sdp, complete=complete))
        if complete and answers:
            for fact in _connected(media):
                self.rig.tell(fact)

    def _wait(self, ready: Callable[[], bool], line: Line, what: str, patience: float = PATIENCE) -> None:
        """Let time pass until it is so; everything behind this line comes as much later."""
        rig = self.rig
        begun = rig.now
        while not ready():
            due = rig.session.next_timeout()
            if due is None or due > begun + patience:
                waited = "nothing, and it waits for nothing" if due is None else f"nothing within {patience:g} s"
                raise self._differ(line, Difference("", what, waited))
            rig.advance_to(due)
        if rig.now > begun:
            self._late = rig.now - line.at

    # What the application asks.

    def _command(self, line: Line) -> None:
        record, options = line.record, mapping(line.record, "options")
        name, arguments = string(record, "call") or "", record.get("args")
        given = arguments if isinstance(arguments, list) else []
        match record.get("op"), record.get("method"), given:
            case "create", _, _:
                self._rig = build(Rig, options)
                self._rig.reflex = self._reflex
            case "invoke", "connect", _:
                self.rig.ask_to_connect()
            case "invoke", "disconnect", _:
                self.rig.disconnect()
            case "invoke", "login", [dict(login), *_]:
                self.rig.login(mapping(login, "creds"))
            case "newCall", _, _:
                self._dial(name, options)
            case "call", str(method), _:
                self._call_command(self._call(name, line), method, given, line)
            case "media", _, _:
                failure = string(mapping(mapping(record, "mode"), "fail"), "name")
                self._fault = None if failure is None else _SOURCE_FAULTS.get(failure, "other")
            case "recovery", _, _:
                decide = self.rig.resume_media if record.get("action") == "resume" else self.rig.reject_media
                decide(next(iter(self.rig.session.calls), CallId("")))
            case _:
                raise _not_understood(line)

    def _dial(self, name: str, options: JsonObject) -> None:
        """Under the id that the recorded client gave the call: so it need not be mapped in every frame."""
        named = set(self._calls.values())
        invites = (line.frame for line in self._expected if title(line.frame) == m.INVITE)
        idents = (call_id(mapping(frame, "params")) for frame in invites)
        given = CallOptions.from_mapping({**options, "id": next((it for it in idents if it not in named), None)})
        self._calls[name] = self.rig.session.new_call(given, now=self.rig.now)
        self.rig.drain()

    def _call(self, name: str, line: Line) -> CallId:
        """A call of the far end gets its name when it is first spoken of."""
        if name not in self._calls:
            named = set(self._calls.values())
            unnamed = next((ident for ident in self.rig.session.calls if ident not in named), None)
            if unnamed is None:
                raise self._differ(line, Difference("", f"a command for the call {name}", "there is no such call"))
            self._calls[name] = unnamed
        return self._calls[name]

    def _call_command(self, call: CallId, method: str, given: list[Json], line: Line) -> None:
        rig = self.rig
        plain: dict[str, Callable[[], object]] = {
            "answer": lambda: rig.answer(call),
            "hangup": lambda: rig.hangup(call),
            "hold": lambda: rig.hold(call),
            "unhold": lambda: rig.unhold(call),
            "toggleHold": lambda: rig.toggle_hold(call),
            "muteAudio": lambda: rig.set_muted(call, True),
            "unmuteAudio": lambda: rig.set_muted(call, muted=False),
            "toggleAudioMute": lambda: rig.set_muted(call, muted=not rig.info(call).muted),
            "deaf": lambda: rig.set_deaf(call, True),
            "undeaf": lambda: rig.set_deaf(call, deaf=False),
        }
        match method, given:
            case _, [] if method in plain:
                plain[method]()
            case "dtmf", [str(digits)]:
                rig.dtmf(call, digits)
            case "sendConversationMessage", [str(text), *rest]:
                urls = rest[0] if rest and isinstance(rest[0], list) else []
                rig.send_conversation_message(call, text, tuple(url for url in urls if isinstance(url, str)))
            case "sendAIConversationMessage", [dict(item)]:
                rig.send_ai_item(item)
            case _:
                raise _not_understood(line)

    # Telling.

    def _socket(self, line: Line) -> SocketId:
        if line.socket not in self._sockets:
            raise ValueError(f"line {line.number}: socket {line.socket} has not been opened")
        return self._sockets[line.socket]

    def _note(self, text: str) -> None:
        now = 0.0 if self._rig is None else self._rig.now
        self._before.append(f"  {now:9.3f} s  {text}")

    def _differ(self, line: Line | None, *found: Difference) -> TranscriptDiffers:
        where = "after the last recorded frame"
        if line is not None:
            what = f", {title(line.frame)}" if line.frame else ""
            where = f"line {line.number}, at {line.at:.3f} s of the record{what}"
        return TranscriptDiffers("\n".join([where, *map(str, found), "before it:", *self._before]))


class _RoughPlayer(_Player):
    """One replay in which nothing is compared."""

    def _app(self, line: Line) -> None:
        with suppress(TranscriptDiffers):
            super()._app(line)

    def _net(self, line: Line) -> None:
        if line.record.get("what") == "ws.closed" and line.socket not in self._sockets:
            return
        with suppress(TranscriptDiffers):
            super()._net(line)

    def _server_says(self, line: Line) -> None:
        if line.socket in self._sockets:
            with suppress(TranscriptDiffers):
                super()._server_says(line)

    def _client_said(self, line: Line) -> None:
        if line in self._expected:
            self._describe(line.frame)

    def _ours(self, socket: SocketId, frame: JsonObject) -> bool:
        """What was recorded of the same kind next is what it stands for: replies to it are replies to ours. A ping
        that was not recorded is answered as long as the server speaks."""
        name = title(frame)
        line = next((line for line in self._expected if title(line.frame) == name), None)
        if line is not None:
            self._expected.remove(line)
            self._ids[str(line.frame.get("id"))] = frame.get("id")
        return line is not None or not self._lines

    def _let_go(self, socket: SocketId) -> None:
        pass

    def _compare_url(self, line: Line) -> None:
        pass


def _connected(media: MediaId) -> tuple[Fact, ...]:
    return (PeerStateChanged(media, "connected"), MediaHeard(media))


def _not_understood(line: Line) -> ValueError:
    asked = line.record.get("method") or line.record.get("op")
    return ValueError(f"line {line.number}: the command {asked!r}, with these arguments, cannot be played")


def _brief(frame: JsonObject) -> str:
    text = json.dumps(frame, ensure_ascii=False)
    return text if len(text) <= 400 else text[:400] + "…"
