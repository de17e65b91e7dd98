"""A gateway on a virtual clock, with clients that are lists of frames and media that is a table.

The rig holds the gateway to its side of the contract while it serves the tests: handles open once and close once,
nothing is ordered for a dead one, nothing is sent on a closed socket.
"""

import json
from collections import deque
from random import Random
from typing import Any, assert_never

from telnyx_core.actions import (
    AddCandidate,
    ApplyRemote,
    ClosePeer,
    CreateAnswer,
    CreateOffer,
    OpenPeer,
    OpenSource,
    SendDigits,
    SendText,
    SetDeaf,
    SetMuted,
    UseMedia,
)
from telnyx_core.facts import (
    LocalDescribed,
    MediaFact,
    PeerState,
    PeerStateChanged,
    RemoteApplied,
    RemoteRefused,
    SocketClosed,
    TextReceived,
)
from telnyx_core.gateway import GatewayCore, GatewayOptions
from telnyx_core.gateway.actions import (
    AbortConnection,
    CloseConnection,
    Feed,
    GatewayAction,
    GatewayNotify,
    ReleaseCall,
    Silence,
    Source,
)
from telnyx_core.gateway.events import GatewayEvent
from telnyx_core.gateway.facts import SocketAccepted
from telnyx_core.ids import CallId, MediaId, SocketId

OFFER = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"
BAD = "not an sdp"
WALL = 1_800_000_000.0

Frame = dict[str, Any]


class Client:
    """One socket as its client sees it."""

    def __init__(self, rig: "Rig", socket: SocketId) -> None:
        self.rig = rig
        self.socket = socket
        self.texts: list[str] = []
        self.closed: tuple[int, str] | None = None
        self._ids = 0
        self._read = 0
        self.sessid = ""

    @property
    def frames(self) -> list[Frame]:
        """What came that is a frame: no speed test, and nothing that a fault has garbled."""
        return [json.loads(text) for text in self.texts if text.startswith("{") and text.endswith("}")]

    def take(self) -> list[Frame]:
        """The frames since the last look."""
        frames = self.frames[self._read :]
        self._read += len(frames)
        return frames

    def pushed(self, method: str) -> list[Frame]:
        """All requests of the gateway with this method."""
        return [frame for frame in self.frames if frame.get("method") == method]

    def send(self, frame: Frame | str) -> None:
        text = frame if isinstance(frame, str) else json.dumps(frame)
        self.rig.tell(TextReceived(self.socket, text))

    def request(self, method: str, params: Frame | None = None, *, ident: Any = None) -> Frame | None:
        """Send a request; its reply, if one came at once."""
        self._ids += 1
        ident = ident if ident is not None else f"{self.socket}-{self._ids}"
        before = len(self.frames)
        self.send({"jsonrpc": "2.0", "id": ident, "method": method, "params": params or {}})
        replies = [frame for frame in self.frames[before:] if frame.get("id") == ident and "method" not in frame]
        return replies[-1] if replies else None

    def ask(self, method: str, params: Frame | None = None) -> Frame:
        """A request that must be granted: its result."""
        reply = self.request(method, params)
        assert reply is not None, f"no reply to {method}"
        assert "error" not in reply, reply
        result: Frame = reply["result"]
        return result

    def refused(self, method: str, params: Frame | None = None) -> Frame:
        """A request that must be refused: its error."""
        reply = self.request(method, params)
        assert reply is not None, f"no reply to {method}"
        assert "result" not in reply, reply
        error: Frame = reply["error"]
        return error

    def login(self, user: str = "alice", password: str = "secret", **members: Any) -> Frame:
        result = self.ask("login", {"login": user, "passwd": password, **members})
        self.sessid = result["sessid"]
        return result

    def invite(self, number: str, call: str = "", sdp: str | None = OFFER, **dialog: Any) -> str:
        """Call a number; the call's id."""
        call = call or f"call-{self.rig.number()}"
        assert self.ask("telnyx_rtc.invite", self.invitation(number, call, sdp, **dialog))["callID"] == call
        return call

    def invitation(self, number: str, call: str, sdp: str | None = OFFER, **dialog: Any) -> Frame:
        params: Frame = {
            "sessid": self.sessid,
            "sdp": sdp,
            "dialogParams": {"callID": call, "destination_number": number, **dialog},
            "User-Agent": "Web-2.27.10",
        }
        if sdp is None:
            del params["sdp"]
        return params

    def dialog(self, call: str, **members: Any) -> Frame:
        return {"sessid": self.sessid, "dialogParams": {"callID": call}, **members}

    def acknowledge(self, frame: Frame) -> None:
        self.send({"jsonrpc": "2.0", "id": frame["id"], "result": {"method": frame["method"]}})

    def ringing_call(self) -> str:
        """The newest invite, acknowledged; the call's id."""
        invite = self.pushed("telnyx_rtc.invite")[-1]
        self.acknowledge(invite)
        call: str = invite["params"]["callID"]
        return call

    def answer(self, call: str, sdp: str = OFFER, method: str = "telnyx_rtc.answer", **dialog: Any) -> Frame:
        return self.ask(method, {"sessid": self.sessid, "sdp": sdp, "dialogParams": {"callID": call, **dialog}})

    def bye(self, call: str, **members: Any) -> Frame:
        return self.ask("telnyx_rtc.bye", self.dialog(call, **members))

    def lose(self, code: int = 1006) -> None:
        """The socket is gone."""
        self.rig.tell(SocketClosed(self.socket, code, "", clean=code == 1000))


class Rig:
    """``auto_media``: descriptions exist and are applied at once, and the first peer of a call is connected as soon as
    both sides are there; what a later one does is up to the test."""

    def __init__(
        self,
        options: GatewayOptions | None = None,
        *,
        seed: int = 0,
        auto_media: bool = True,
        connects: bool | None = None,
    ) -> None:
        self.now = 100.0
        options = options or GatewayOptions(users={"alice": "secret", "bob": "hush"})
        self.core = GatewayCore(options, rng=Random(seed))
        self.auto_media = auto_media
        self.connects = auto_media if connects is None else connects
        self.clients: dict[SocketId, Client] = {}
        self.peers: dict[MediaId, OpenPeer] = {}
        self.used: dict[CallId, MediaId] = {}
        self.fed: dict[CallId, Source] = {}
        self.candidates: list[AddCandidate] = []
        self.applied: list[ApplyRemote] = []
        self.actions: list[GatewayAction] = []
        self.events: list[GatewayEvent] = []
        self.owed: deque[MediaFact] = deque()
        self.unreleased: set[CallId] = set()
        """Calls that had media and have not been released."""
        self._released: set[CallId] = set()
        self._numbers = 0
        self._sockets = 0

    def number(self) -> int:
        self._numbers += 1
        return self._numbers

    def connect(self, target: str = "/") -> Client:
        self._sockets += 1
        client = Client(self, SocketId(self._sockets))
        self.clients[client.socket] = client
        self.tell(SocketAccepted(client.socket, target, WALL + self.now))
        return client

    def client(self, user: str = "alice", target: str = "/", **members: Any) -> Client:
        """A client that has logged in and read its ``clientReady``."""
        client = self.connect(target)
        passwords = self.core.options.users
        client.login(user, passwords[user], **members)
        client.take()
        return client

    def tell(self, fact: Any) -> None:
        self.core.receive(fact, now=self.now)
        self.drain()

    def command(self, name: str, *args: Any, **kwargs: Any) -> Any:
        result = getattr(self.core, name)(*args, **kwargs, now=self.now)
        self.drain()
        return result

    def wait(self, seconds: float) -> None:
        """Let time pass, waking the gateway at each of its deadlines."""
        end = self.now + seconds
        while (at := self.core.next_timeout()) is not None and at <= end:
            self.now = max(self.now, at)
            self.core.handle_timeout(now=self.now)
            self.drain()
            following = self.core.next_timeout()
            assert following is None or following > self.now, "a deadline that is due stays in the table"
        self.now = end

    def media_state(self, call: str, state: PeerState = "connected", *, newest: bool = True) -> None:
        """The newest (or the used) peer of a call changes its state."""
        medias = [media for media, peer in self.peers.items() if peer.call == call]
        self.tell(PeerStateChanged(medias[-1] if newest else self.used[CallId(call)], state))

    def media_of(self, call: str) -> list[MediaId]:
        return [media for media, peer in self.peers.items() if peer.call == call]

    def told(self, kind: type[Any]) -> list[Any]:
        """The events of one type."""
        return [event for event in self.events if isinstance(event, kind)]

    def drain(self) -> None:
        while True:
            while (action := self.core.next_action()) is not None:
                self.actions.append(action)
                self.perform(action)
            if not (self.auto_media and self.owed):
                return
            self.core.receive(self.owed.popleft(), now=self.now)

    def settle(self) -> None:
        """Let the media engine report what it owes, where it does not do so by itself."""
        while self.owed:
            self.core.receive(self.owed.popleft(), now=self.now)
            self.drain()

    def perform(self, action: GatewayAction) -> None:
        match action:
            case SendText(socket=socket, text=text):
                client = self.clients[socket]
                assert client.closed is None, f"sent on a closed socket: {text}"
                client.texts.append(text)
            case CloseConnection(socket=socket, code=code, reason=reason):
                self._close(socket, code, reason)
            case AbortConnection(socket=socket):
                self._close(socket, 1006, "")
            case OpenPeer(media=media, call=call):
                assert media not in self.peers
                assert call not in self._released or not self.media_of(call)
                self._released.discard(call)
                self.unreleased.add(call)
                self.peers[media] = action
            case CreateOffer(media=media):
                assert self.peers[media].config.role == "offer"
                self.owed.append(LocalDescribed(media, _sdp(media), complete=True))
            case CreateAnswer(media=media):
                assert self.peers[media].config.role == "answer"
                self.owed.append(LocalDescribed(media, _sdp(media), complete=True))
                self._connect(media)
            case ApplyRemote(media=media, kind=kind, sdp=sdp):
                assert media in self.peers
                self.applied.append(action)
                self.owed.append(RemoteRefused(media, "bad") if sdp == BAD else RemoteApplied(media))
                if kind == "answer" and sdp != BAD:
                    self._connect(media)
            case AddCandidate(media=media):
                assert media in self.peers
                self.candidates.append(action)
            case UseMedia(media=media):
                self.used[self.peers[media].call] = media
            case ClosePeer(media=media):
                del self.peers[media]
            case Feed(call=call, source=source):
                assert self.media_of(call) or call not in self._released
                self.fed[call] = source
            case ReleaseCall(call=call):
                assert not self.media_of(call), "released before its peers were closed"
                self._released.add(call)
                self.unreleased.discard(call)
                self.fed.pop(call, None)
            case GatewayNotify(event=event):
                self.events.append(event)
            case SendDigits():
                pass
            case OpenSource() | SetMuted() | SetDeaf():
                raise AssertionError(f"the gateway has no use for {action}")
            case _:
                assert_never(action)

    def _connect(self, media: MediaId) -> None:
        if self.connects and self.media_of(self.peers[media].call) == [media]:
            self.owed.append(PeerStateChanged(media, "connected"))

    def hears(self, call: str) -> Source:
        return self.fed.get(CallId(call), Silence())

    def _close(self, socket: SocketId, code: int, reason: str) -> None:
        client = self.clients[socket]
        assert client.closed is None, "closed twice"
        client.closed = (code, reason)


def _sdp(media: MediaId) -> str:
    return (
        "v=0\r\na=group:BUNDLE 0\r\nm=audio 4000 UDP/TLS/RTP/SAVPF 0\r\n"
        f"a=candidate:1 1 udp 2130706431 192.0.2.{media} 4000 typ host\r\na=mid:0\r\n"
    )
