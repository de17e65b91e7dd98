"""The embedded gateway over real sockets, with media that is only promised."""

import asyncio
import json
from collections.abc import Coroutine
from typing import Any, get_type_hints

import attrs
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from telnyx_core._time.limits import MAX_FRAME_CHARS
from telnyx_core.actions import ApplyRemote, CreateAnswer, CreateOffer, MediaAction, ToneAction
from telnyx_core.errors import InvalidCallState, NotConnected
from telnyx_core.facts import LocalDescribed, MediaFact, PeerStateChanged, RemoteApplied
from telnyx_core.gateway import CallPlan, Fault, GatewayOptions, Quirks, Swallow
from telnyx_core.gateway.events import (
    CallAnswered,
    CallEnded,
    CallStarted,
    ClientConnected,
    ClientLost,
    DigitsReceived,
    MediaConnected,
    StateTold,
)
from telnyx_core.ids import CallId, SocketId
from telnyx_drivers._webrtc.call_audio import CallAudio
from telnyx_drivers._webrtc.ports import Report
from telnyx_drivers.gateway import Gateway
from telnyx_drivers.gateway.keywords import GatewayKeywords
from tests.media.rig import run

pytestmark = pytest.mark.net

USERS = {"alice": "secret", "bob": "hush"}


class PromisedMedia:
    """An engine that negotiates, is connected at once where it answers, and does nothing else."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._audio: dict[CallId, CallAudio] = {}
        self.released: list[CallId] = []
        self.closed = 0

    def perform(self, action: MediaAction | ToneAction) -> None:
        match action:
            case CreateOffer(media=media):
                self._soon(LocalDescribed(media, "v=0\r\n", complete=True))
            case CreateAnswer(media=media):
                self._soon(LocalDescribed(media, "v=0\r\n", complete=True))
                self._soon(PeerStateChanged(media, "connected"))
            case ApplyRemote(media=media):
                self._soon(RemoteApplied(media))
            case _:
                pass

    def _soon(self, fact: MediaFact) -> None:
        asyncio.get_running_loop().call_soon(self._report, fact)

    def audio(self, call: CallId) -> CallAudio:
        return self._audio.setdefault(call, CallAudio())

    def release(self, call: CallId) -> None:
        self.released.append(call)
        self.audio(call).close()

    async def aclose(self) -> None:
        self.closed += 1


def gateway(**options: Any) -> Gateway:
    options.setdefault("users", USERS)
    options.setdefault("engine", PromisedMedia)
    return Gateway(**options)


class Phone:
    """A client of the bare protocol."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self._ids = 0

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """A request; its result, or its error."""
        self._ids += 1
        await self.connection.send(
            json.dumps({"jsonrpc": "2.0", "id": str(self._ids), "method": method, "params": params})
        )
        while True:
            frame = await self.next()
            if frame.get("id") == str(self._ids):
                answer: dict[str, Any] = frame.get("result") or frame["error"]
                return answer

    async def next(self, method: str | None = None) -> dict[str, Any]:
        while True:
            frame: dict[str, Any] = json.loads(await self.connection.recv())
            if method is None or frame.get("method") == method:
                return frame

    async def login(self, user: str = "alice", **params: Any) -> str:
        session: str = (await self.ask("login", login=user, passwd=USERS[user], **params))["sessid"]
        return session

    async def invite(self, number: str, call: str = "c1") -> dict[str, Any]:
        dialog = {"callID": call, "destination_number": number}
        return await self.ask("telnyx_rtc.invite", sdp="v=0\r\n", dialogParams=dialog)


async def phone(url: str) -> Phone:
    return Phone(await connect(url, compression=None, ping_interval=None))


def test_keywords_and_options_are_the_same() -> None:
    names = {each.name for each in attrs.fields(GatewayOptions)}
    assert set(GatewayKeywords.__annotations__) == names
    hints = get_type_hints(GatewayKeywords)
    assert hints == {each.name: get_type_hints(GatewayOptions)[each.name] for each in attrs.fields(GatewayOptions)}


def test_options_keywords_or_both() -> None:
    plan, quirks = CallPlan(answer_delay=1.0), Quirks(no_mid=False)
    both = Gateway(GatewayOptions(users=USERS, plan=plan), quirks=quirks).core.options
    assert (both.users, both.plan, both.quirks) == (USERS, plan, quirks)
    assert Gateway(users=USERS, quirks=quirks).core.options == GatewayOptions(users=USERS, quirks=quirks)


def test_a_client_logs_in_and_calls() -> None:
    async def main() -> None:
        async with gateway() as gw:
            caller = await phone(gw.url)
            session = await caller.login()
            assert gw.core.session_id(gw.socket("alice")) == session
            assert (await caller.invite("echo"))["message"] == "CALL CREATED"
            answer = await caller.next("telnyx_rtc.answer")
            assert answer["params"]["sdp"] == "v=0\r\n"
            started = await gw.wait_for(CallStarted)
            assert (started.call, started.user, started.destination) == ("c1", "alice", "echo")
            await caller.connection.close()
            await gw.wait_for(ClientLost, lambda event: event.code == 1000)

    run(main())


def test_the_url_says_where_it_listens_and_only_while_it_runs() -> None:
    async def main() -> None:
        gw = gateway()
        with pytest.raises(RuntimeError, match="not running"):
            gw.url  # noqa: B018
        async with gw:
            assert gw.url == f"ws://127.0.0.1:{gw.port}"
            (await phone(gw.url + "/?voice_sdk_id=V1")).connection.transport.abort()
            assert (await gw.wait_for(ClientConnected)).query == {"voice_sdk_id": "V1"}
        with pytest.raises(RuntimeError, match="once"):
            await gw.__aenter__()
        with pytest.raises(ConnectionRefusedError):
            await connect(gw.url)

    run(main())


def test_events_come_as_they_happen_and_are_remembered() -> None:
    async def main() -> None:
        async with gateway(plan=CallPlan(answer_delay=0.05)) as gw:
            stream = gw.events()
            caller = await phone(gw.url)
            await caller.login()
            await caller.invite("echo")
            seen = [type(await anext(stream)) for _ in range(3)]
            assert [kind.__name__ for kind in seen] == ["ClientConnected", "ClientLoggedIn", "CallStarted"]
            answered = await gw.wait_for(CallAnswered)
            assert await gw.wait_for(CallAnswered, timeout=0.01) is answered, "what has happened need not happen again"
            with pytest.raises(TimeoutError):
                await gw.wait_for(CallEnded, timeout=0.01)
            await caller.connection.close()
        with pytest.raises(RuntimeError, match="ended"):
            await gw.wait_for(DigitsReceived)

    run(main())


def test_the_gateway_calls_a_client_and_hangs_up() -> None:
    async def main() -> None:
        async with gateway() as gw:
            callee = await phone(gw.url)
            await callee.login("bob")
            call = gw.call_user("bob", from_number="+1777")
            invite = await callee.next("telnyx_rtc.invite")
            assert (invite["params"]["callID"], invite["params"]["caller_id_number"]) == (call, "+1777")
            await callee.ask("telnyx_rtc.answer", sdp="v=0\r\n", dialogParams={"callID": call})
            gw.hangup(call, cause="NO_ANSWER")
            assert (await callee.next("telnyx_rtc.bye"))["params"]["causeCode"] == 19
            with pytest.raises(InvalidCallState):
                gw.hangup(call)
            with pytest.raises(NotConnected):
                gw.call_user("alice")
            await callee.connection.close()

    run(main())


def test_every_command_reaches_its_client() -> None:
    async def main() -> None:
        async with gateway() as gw:
            client = await phone(gw.url)
            await client.login()
            await client.invite("echo")
            await client.next("telnyx_rtc.answer")
            await gw.wait_for(MediaConnected)
            call = CallId("c1")
            gw.info(call, {"a": 1})
            gw.display(call, "Carol", "1005")
            gw.renegotiate(call)
            gw.push_state("alice", "TRYING")
            gw.push_event("alice", {"eventChannel": "x"})
            gw.ai_event("alice", {"type": "t"})
            gw.push("alice", "telnyx_rtc.odd", {})
            gw.ping("alice")
            gw.send("alice", '{"plain": true}')
            came = [await client.next() for _ in range(9)]
            assert [frame.get("method", "").removeprefix("telnyx_rtc.") for frame in came] == [
                "info",
                "display",
                "gatewayState",
                "event",
                "ai_conversation",
                "odd",
                "ping",
                "",
                "attach",
            ]
            gw.add_fault(Fault(method="telnyx_rtc.ping", do=Swallow(), nth=None))
            gw.clear_faults()
            assert (await client.ask("telnyx_rtc.ping"))["message"] == "PONG"
            gw.expire_tokens("t")
            gw.forget_sessions()
            gw.punt("alice")
            await client.next("telnyx_rtc.punt")
            with pytest.raises(ConnectionClosed):
                await client.next()
            assert client.connection.close_code == 1000

    run(main())


@pytest.mark.parametrize(("code", "seen"), [(None, 1006), (1006, 1006), (1011, 1011), (4001, 4001)])
def test_a_socket_is_dropped_with_a_code_or_cut(code: int | None, seen: int) -> None:
    async def main() -> None:
        async with gateway() as gw:
            client = await phone(gw.url)
            await client.login()
            gw.drop("alice", code=code, reason="why")
            with pytest.raises(ConnectionClosed):
                await client.next("never")
            assert client.connection.close_code == seen
            assert client.connection.close_reason == ("why" if seen != 1006 else "")
            assert (await gw.wait_for(ClientLost)).code in (code, 1006)

    run(main())


def test_a_frozen_socket_stays_open_and_silent() -> None:
    async def main() -> None:
        async with gateway() as gw:
            client = await phone(gw.url)
            await client.login()
            gw.freeze("alice")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await client.ask("telnyx_rtc.ping")
            gw.freeze("alice", frozen=False)
            gw.blackhole("alice", "out")
            gw.blackhole("alice", "out", lost=False)
            assert (await client.ask("telnyx_rtc.ping"))["message"] == "PONG"
            await client.connection.close()

    run(main())


def test_a_frame_that_is_too_large_closes_its_socket() -> None:
    async def main() -> None:
        async with gateway() as gw:
            client = await phone(gw.url)
            await client.login()
            with pytest.raises(ConnectionClosed):
                await client.ask("telnyx_rtc.ping", filler="x" * MAX_FRAME_CHARS)
            assert client.connection.close_code == 1009
            other = await phone(gw.url)
            await other.login("bob")
            await other.connection.send(b"binary is ignored")
            assert (await other.ask("telnyx_rtc.ping"))["message"] == "PONG"
            await other.connection.close()

    run(main())


def test_a_client_that_does_not_read_is_cut_off() -> None:
    async def main() -> None:
        async with gateway() as gw:
            client = await phone(gw.url)
            await client.login()
            client.connection.transport.pause_reading()
            text = "x" * MAX_FRAME_CHARS
            for _ in range(80):
                try:
                    gw.send("alice", text)
                except NotConnected:
                    break
                await asyncio.sleep(0)
            await gw.wait_for(ClientLost)
            client.connection.transport.abort()

    run(main())


def test_a_restart_keeps_the_port() -> None:
    async def main() -> None:
        async with gateway() as gw:
            client = await phone(gw.url)
            session = await client.login()
            gw.restart()
            with pytest.raises(ConnectionClosed):
                await client.next("never")
            again = await phone(gw.url)
            await again.login(sessid=session)
            ready = await again.next("telnyx_rtc.clientReady")
            assert ready["params"] == {"reattached_sessions": []}
            await again.connection.close()

    run(main())


def test_timers_fire() -> None:
    async def main() -> None:
        async with gateway(ping_interval=0.05, push_states=((0.02, "TRYING"),)) as gw:
            client = await phone(gw.url)
            await client.login()
            assert (await client.next("telnyx_rtc.gatewayState"))["params"]["state"] == "TRYING"
            assert (await client.next("telnyx_rtc.ping"))["params"]["serno"] == 1
            assert (await gw.wait_for(StateTold)).state == "TRYING"
            await client.connection.close()

    run(main())


# The end.


def made(engines: list[PromisedMedia]) -> Any:
    def make(report: Report) -> PromisedMedia:
        engines.append(PromisedMedia(report))
        return engines[-1]

    return make


def test_leaving_closes_what_is_open() -> None:
    async def main() -> None:
        engines: list[PromisedMedia] = []
        async with gateway(engine=made(engines)) as gw:
            client = await phone(gw.url)
            await client.login()
            await client.invite("echo")
            stream = gw.events()
        with pytest.raises(ConnectionClosed):
            await client.next("never")
        assert client.connection.close_code == 1001
        assert engines[0].closed == 1
        assert [event async for event in stream], "a stream ends with its gateway"
        await gw.aclose()
        assert engines[0].closed == 1

    run(main())


def test_a_client_that_does_not_say_goodbye_is_not_waited_for() -> None:
    async def main() -> None:
        async with gateway() as gw:
            client = await phone(gw.url)
            await client.login()
            client.connection.transport.pause_reading()
        client.connection.transport.abort()

    run(main(), timeout=8)


async def cancelled(main: Coroutine[Any, Any, None], after: asyncio.Event) -> None:
    task = asyncio.ensure_future(main)
    await after.wait()
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_cancelled_block_closes_all_the_same() -> None:
    """Also when it is cancelled again while it closes."""

    async def main() -> None:
        engines: list[PromisedMedia] = []
        inside = asyncio.Event()
        clients: list[Phone] = []

        async def block() -> None:
            async with gateway(engine=made(engines)) as gw:
                clients.append(await phone(gw.url))
                await clients[0].login()
                inside.set()
                await asyncio.Event().wait()

        await cancelled(block(), inside)
        assert engines[0].closed == 1
        with pytest.raises(ConnectionClosed):
            await clients[0].next("never")

    run(main())


def test_a_port_that_is_taken_leaves_nothing_behind() -> None:
    async def main() -> None:
        engines: list[PromisedMedia] = []
        async with gateway() as gw:
            with pytest.raises(OSError, match="in use"):
                async with gateway(port=gw.port, engine=made(engines)):
                    pass
        assert engines[0].closed == 1

    run(main())


def test_a_fault_of_the_gateway_ends_it_and_is_raised() -> None:
    class Broken(PromisedMedia):
        def perform(self, action: MediaAction | ToneAction) -> None:
            raise ZeroDivisionError("ours")

    async def main() -> None:
        async with gateway(engine=Broken) as gw:
            client = await phone(gw.url)
            await client.login()
            await client.connection.send(
                '{"id":1,"method":"telnyx_rtc.invite","params":{"sdp":"v=0","dialogParams":'
                '{"callID":"c1","destination_number":"echo"}}}'
            )
            with pytest.raises(ConnectionClosed):
                await client.next("never")
            assert client.connection.close_code == 1001

    with pytest.raises(ZeroDivisionError, match="ours"):
        run(main())


def test_audio_belongs_to_a_live_call() -> None:
    async def main() -> None:
        async with gateway() as gw:
            with pytest.raises(InvalidCallState):
                gw.audio(CallId("c1"))
            client = await phone(gw.url)
            await client.login()
            await client.invite("silence")
            audio = gw.audio(CallId("c1"))
            assert not audio.closed
            await client.ask("telnyx_rtc.bye", dialogParams={"callID": "c1"})
            assert audio.closed
            await client.connection.close()

    run(main())


def test_a_socket_that_is_not_there() -> None:
    async def main() -> None:
        async with gateway() as gw:
            with pytest.raises(NotConnected):
                gw.drop("alice")
            with pytest.raises(NotConnected):
                gw.freeze(SocketId(7))

    run(main())
