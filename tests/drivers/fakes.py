"""The world in memory: a server that answers at once, sockets without a network, an engine without sound."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

from telnyx_core.actions import (
    ApplyRemote,
    ClosePeer,
    CreateAnswer,
    CreateOffer,
    MediaAction,
    OpenPeer,
    OpenSource,
    TakeStats,
    ToneAction,
)
from telnyx_core.events import Event
from telnyx_core.facts import (
    LocalDescribed,
    PeerStateChanged,
    RemoteApplied,
    SocketClosed,
    SocketOpened,
    SocketRefused,
    SourceFault,
    SourceOpened,
    SourceRefused,
    StatsTaken,
    TextReceived,
)
from telnyx_core.ids import CallId, MediaId, SocketId
from telnyx_core.stats.snapshot import StatsSnapshot
from telnyx_drivers._driver import Driver, Line
from telnyx_drivers._emitter import EventStream
from telnyx_drivers._webrtc.call_audio import CallAudio
from telnyx_drivers._webrtc.ports import EngineSetup, Report

WALL = 1_795_000_000.0
SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 127.0.0.1\r\n"
    "a=candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host\r\na=ice-ufrag:abcd\r\n"
    "a=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=fingerprint:sha-256 00:11\r\na=setup:actpass\r\na=mid:0\r\n"
    "a=rtcp-mux\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n"
)

Frame = dict[str, Any]
E = TypeVar("E", bound=Event)


class Server:
    """What a test's gateway does. Answers everything politely unless ``mute`` or ``refuse`` names the method."""

    def __init__(self) -> None:
        self.lines: list[MemoryLine] = []
        self.received: list[Frame] = []
        self.urls: list[str] = []
        self.accepting = True
        self.url_error = ""
        self.mute: set[str] = set()
        self.refuse: dict[str, tuple[int, str]] = {}
        self.refuse_once: dict[str, tuple[int, str]] = {}
        self.tokens: set[str] | None = None
        """The login tokens that are good; ``None``: all."""
        self.register = True
        self.reattached: list[str] = []
        """Calls that are offered again after a login that resumes."""
        self.auto_answer = True
        self.deaf_to_close = False
        self._serial = 100

    # For the test.

    @property
    def line(self) -> "MemoryLine":
        return self.lines[-1]

    def methods(self) -> list[str]:
        return [frame.get("method", "") for frame in self.received]

    def params(self, method: str) -> Frame:
        """Of the last request of this method."""
        return next(frame["params"] for frame in reversed(self.received) if frame.get("method") == method)

    def request(self, method: str, **params: Any) -> None:
        self._serial += 1
        self.line.deliver({"jsonrpc": "2.0", "id": self._serial, "method": method, "params": params})

    def ring(self, call: str, **params: Any) -> None:
        self.request("telnyx_rtc.invite", callID=call, sdp=SDP, caller_id_number="+1555", **params)

    def answer(self, call: str) -> None:
        self.request("telnyx_rtc.answer", callID=call, sdp=SDP)

    def bye(self, call: str, cause: str = "NORMAL_CLEARING", code: int = 16) -> None:
        self.request("telnyx_rtc.bye", callID=call, cause=cause, causeCode=code)

    def drop(self) -> None:
        """The network goes: no close frame."""
        self.line.end(1006, clean=False, error="connection reset")

    # For the line.

    def heard(self, line: "MemoryLine", frame: Frame) -> None:
        self.received.append(frame)
        method, ident = frame.get("method", ""), frame.get("id")
        if not method or ident is None or method in self.mute:
            return
        if method in self.refuse or method in self.refuse_once:
            code, text = self.refuse_once.pop(method, None) or self.refuse[method]
            line.deliver({"jsonrpc": "2.0", "id": ident, "error": {"code": code, "message": text}})
            return
        params = frame.get("params", {})
        if method == "login" and self.tokens is not None and params.get("login_token") not in self.tokens:
            said = "JWT token authentication failed"
            line.deliver({"jsonrpc": "2.0", "id": ident, "error": {"code": -32001, "message": said}})
            return
        self._reply(line, method, ident, params)

    def _reply(self, line: "MemoryLine", method: str, ident: Any, params: Frame) -> None:
        call = params.get("dialogParams", {}).get("callID")

        def result(**members: Any) -> None:
            result = {"sessid": "s-1", **members}
            line.deliver({"jsonrpc": "2.0", "id": ident, "result": result, "voice_sdk_id": "V-1"})

        match method:
            case "login" | "anonymous_login":
                result(message="logged in")
                for call_id in self.reattached if params.get("reconnection") else ():
                    self.request("telnyx_rtc.attach", callID=call_id, sdp=SDP)
                self.request("telnyx_rtc.clientReady", reattached_sessions=self.reattached)
            case "telnyx_rtc.gatewayState":
                result(params={"state": "REGED" if self.register else "UNREGED"})
            case "telnyx_rtc.invite":
                result(message="CALL CREATED", callID=call)
                self.request("telnyx_rtc.ringing", callID=call)
                if self.auto_answer:
                    self.request("telnyx_rtc.answer", callID=call, sdp=SDP)
            case "telnyx_rtc.modify":
                state = {"hold": "held", "unhold": "active"}.get(params["action"], "held")
                result(callID=call, action=params["action"], holdState=state)
            case "telnyx_rtc.info":
                result(message="SENT")
            case _:
                result(message="OK", callID=call)


class MemoryLine(Line):
    """A socket whose other end is the `Server` itself; what arrives is told before anything waits."""

    def __init__(self, driver: Driver, server: Server, socket: SocketId, url: str) -> None:
        self._driver = driver
        self._server = server
        self.socket = socket
        self.open = self.over = False
        server.lines.append(self)
        server.urls.append(url)
        if server.url_error:
            self.over = True
            driver.tell(SocketRefused(socket, server.url_error))
        elif server.accepting:
            self.open = True
            driver.tell(SocketOpened(socket, WALL))

    def send(self, text: str) -> None:
        if self.over:
            return  # the end has been told, and waits in the inbox
        if not text.startswith("#SP"):  # it knows no speed test
            self._server.heard(self, json.loads(text))

    def close(self) -> None:
        if not self._server.deaf_to_close:
            self.end(1000, clean=True)

    def abandon(self) -> None:
        self.over = True

    def end(self, code: int, *, clean: bool, error: str = "") -> None:
        if not self.over:
            self.over = True
            self._driver.tell(SocketClosed(self.socket, code, "", clean=clean, error=error))

    def refuse(self) -> None:
        """The connection attempt fails."""
        self.end(1006, clean=False, error="connection refused")

    def deliver(self, frame: Frame) -> None:
        if not self.over:
            self._driver.tell(TextReceived(self.socket, json.dumps(frame)))


class SilentEngine:
    """Negotiates with anybody, about nothing."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self.open: set[MediaId] = set()
        self.actions: list[MediaAction | ToneAction] = []
        self.audios: dict[CallId, CallAudio] = {}
        self.released: list[CallId] = []
        self.closed = 0
        self.refuse_source: list[SourceFault] = []

    def perform(self, action: MediaAction | ToneAction) -> None:
        self.actions.append(action)
        match action:
            case OpenPeer(media):
                self.open.add(media)
            case ClosePeer(media):
                self.open.remove(media)
            case OpenSource(media):
                if self.refuse_source:
                    self._report(SourceRefused(media, self.refuse_source.pop(0), "busy"))
                else:
                    self._report(SourceOpened(media, "silence"))
            case CreateOffer(media) | CreateAnswer(media):
                self._report(LocalDescribed(media, SDP, complete=True))
            case ApplyRemote(media):
                self._report(RemoteApplied(media))
                self._report(PeerStateChanged(media, "connected"))
            case TakeStats(media):
                self._report(StatsTaken(media, StatsSnapshot()))
            case _:
                pass

    def audio(self, call: CallId) -> CallAudio:
        return self.audios.setdefault(call, CallAudio())

    def release(self, call: CallId) -> None:
        self.released.append(call)
        if (audio := self.audios.get(call)) is not None:
            audio.close()

    async def aclose(self) -> None:
        self.closed += 1
        self.open.clear()


async def next_of(stream: EventStream[Event], kind: type[E]) -> E:
    """The next event of a type."""
    async for event in stream:
        if isinstance(event, kind):
            return event
    raise AssertionError(f"the stream ended without {kind.__name__}")


class World:
    """One server, and every engine that the clients under test made."""

    def __init__(self) -> None:
        self.server = Server()
        self.engines: list[SilentEngine] = []

    def engine(self, setup: EngineSetup) -> SilentEngine:
        self.engines.append(SilentEngine(setup.report))
        return self.engines[-1]

    def dialler(self, driver: Driver) -> Callable[[SocketId, str], Line]:
        return lambda socket, url: MemoryLine(driver, self.server, socket, url)
