"""Every fault that the embedded gateway knows, over real sockets and with real audio, on both loops.

What takes the protocol minutes is told on a virtual clock, in tests/scenarios. Each session is recorded, and its
journal replayed (see conftest).
"""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from telnyx_core.events import CloseReason, ErrorRaised, Event, Ready, SessionClosed, SocketClose, WarningRaised
from telnyx_core.gateway.events import CallAttached, ClientLoggedIn, LoginRefused
from telnyx_core.states import CallState, SessionState
from telnyx_drivers._client import Client
from telnyx_drivers.asyncio import ConnectionFailed
from telnyx_drivers.gateway import Gateway
from tests.drivers.fakes import next_of
from tests.drivers.servers import Servers
from tests.recovery.cable import Cable
from tests.recovery.conftest import Make, hears, talking

pytestmark = [pytest.mark.anyio, pytest.mark.net, pytest.mark.media]
There = Callable[[Callable[[], Any]], Any]


def codes_of(client: Client) -> list[int]:
    codes: list[int] = []

    def note(event: Event) -> None:
        if isinstance(event, ErrorRaised | WarningRaised):
            codes.append(event.code)

    client.on(ErrorRaised, note)
    client.on(WarningRaised, note)
    return codes


@pytest.mark.parametrize("keep", [True, False], ids=["keeping", "renewing"])
@pytest.mark.parametrize("code", [None, 1011], ids=["abort", "close"])
async def test_the_socket_is_dropped(make: Make, gateway: Gateway, there: There, keep: bool, code: int | None) -> None:
    """SIG-240, SIG-300, CALL-530: with a call the first attempt is made at once."""
    async with make(keep_connection_alive_on_socket_close=keep) as client:
        codes = codes_of(client)
        call = await talking(client)
        await call.hold()
        call.mute()
        stream = client.events()
        there(lambda: gateway.drop("alice", code=code))
        assert await call.wait_for_state(["recovering"], timeout=10) is CallState.RECOVERING
        assert await call.wait_for_state(["active", "held"], timeout=15) is CallState.HELD
        await next_of(stream, Ready)  # SRV-020: the attach came before it, and commands need both
        assert call.info.muted
        assert await call.unhold()
        await hears(call)
        await call.dtmf("1")
        assert (await call.hangup()).cause == "NORMAL_CLEARING"
        assert set(codes) <= {33005, 45002}
    assert there(lambda: any(isinstance(event, CallAttached) for event in gateway.history))


@pytest.mark.slow
async def test_sockets_that_are_half_dead(make: Make, gateway: Gateway, there: There) -> None:
    """SIG-066, SIG-262: ten seconds without a reply, whichever way is dead, and both; three clients at once."""

    async def story(user: str, trouble: Callable[[], None]) -> None:
        async with make(user, keep_connection_alive_on_socket_close=True) as client:
            codes = codes_of(client)
            call = await talking(client)
            stream = client.events()
            there(trouble)
            assert not await client.is_registered()
            await next_of(stream, Ready)
            await call.wait_for_state("active", timeout=15)
            await hears(call)
            assert 36003 in codes
            assert await client.is_registered()
            await call.hangup()

    async with anyio.create_task_group() as group:
        group.start_soon(story, "alice", lambda: gateway.freeze("alice"))
        group.start_soon(story, "bob", lambda: gateway.blackhole("bob", "in"))
        group.start_soon(story, "carol", lambda: gateway.blackhole("carol", "out"))


@pytest.mark.parametrize("how", ["restart", "forget sessions"])
async def test_the_gateway_knows_nothing_any_more(make: Make, gateway: Gateway, there: There, how: str) -> None:
    """48501, once, and the end of the call; the session goes on (SIG-321, CALL-514)."""
    async with make(keep_connection_alive_on_socket_close=True) as client:
        codes = codes_of(client)
        call = await talking(client)
        stream = client.events()

        def trouble() -> None:
            if how == "restart":
                gateway.restart()
            else:
                gateway.forget_sessions()
                gateway.drop("alice")

        there(trouble)
        await next_of(stream, Ready)
        ended = await call.wait_ended(timeout=10)
        assert codes.count(48501) == 1
        assert ended.cause == "RECOVERY_ON_TIMER_EXPIRE"
        assert call.error is not None
        assert call.error.code == 48501
        again = await talking(client)
        await again.hangup()


@pytest.mark.parametrize("keep", [True, False], ids=["keeping", "renewing"])
async def test_a_punt(make: Make, gateway: Gateway, there: There, keep: bool) -> None:
    """SIG-291: survived where calls are to be kept, once a minute; otherwise the end of the session."""
    async with make(keep_connection_alive_on_socket_close=keep) as client:
        call = await talking(client)
        stream, incoming = client.events(), client.incoming()
        there(lambda: gateway.punt("alice"))
        if keep:
            await call.wait_for_state("recovering", timeout=10)
            await call.wait_for_state("active", timeout=15)
            await hears(call)
            await call.hangup()
        else:
            assert (await next_of(stream, SessionClosed)).reason is CloseReason.PUNTED
            assert call.ended is not None
            assert call.ended.cause == "NORMAL_TEMPORARY_FAILURE"
            with pytest.raises(ConnectionFailed) as caught:
                await anext(incoming)
            assert caught.value.reason is CloseReason.PUNTED
            assert client.state is SessionState.IDLE


async def test_a_token_is_renewed_on_the_live_socket(make: Make, servers: Servers, there: There) -> None:
    """SIG-245, SIG-251: two minutes before its end the provider is asked, and the call notices nothing."""
    gateway: Gateway = servers.enter(Gateway(token_user=lambda token: "alice", respect_token_expiry=True))
    lives = iter([121.5, 3600.0])

    def jwt() -> str:
        claims = json.dumps({"exp": time.time() + next(lives)}).encode()
        return f"e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.c2ln"

    async with make(login_token=jwt(), token_provider=jwt, env=gateway.url) as client:
        codes = codes_of(client)
        call = await talking(client)
        socket = there(lambda: gateway.socket("alice"))
        with anyio.fail_after(10):
            # On the gateway's thread, hence no event to wait for.
            while there(lambda: sum(isinstance(event, ClientLoggedIn) for event in gateway.history)) < 2:  # noqa: ASYNC110
                await anyio.sleep(0.1)
        assert there(lambda: gateway.socket("alice")) == socket
        await hears(call)
        assert call.state is CallState.ACTIVE
        assert 34001 in codes
        assert not {46001, 46002, 46003} & set(codes)
        await call.hangup()


@pytest.mark.slow
async def test_the_token_has_expired_when_the_socket_is_lost(make: Make, gateway: Gateway, there: There) -> None:
    """Three refusals, for two may be passing (SIG-218); then the provider is asked, and the call is still there."""
    asked: list[str] = []

    async def provider() -> str:
        asked.append("t-1" if not asked else "t-2")
        return asked[-1]

    async with make(token_provider=provider, keep_connection_alive_on_socket_close=True) as client:
        codes = codes_of(client)
        call = await talking(client)

        def trouble() -> None:
            gateway.expire_tokens("t-1")
            gateway.drop("alice")

        there(trouble)
        await call.wait_for_state("recovering", timeout=10)
        await call.wait_for_state("active", timeout=30)
        await hears(call)
        assert asked == ["t-1", "t-2"]
        assert codes.count(46001) == 1
        assert there(lambda: sum(isinstance(event, LoginRefused) for event in gateway.history)) == 3
        await call.hangup()


async def test_the_network_is_away_for_a_while_without_a_call(make: Make, cable: Cable, there: There) -> None:
    """SIG-242: the back-off, over real refusals."""
    async with make(env=cable.url) as client:
        stream = client.events()
        there(cable.cut)
        for _ in range(2):  # the loss, and an attempt that failed
            assert not (await next_of(stream, SocketClose)).was_clean
        assert cable.refused == 1
        there(cable.mend)
        await next_of(stream, Ready)
        call = await talking(client)
        await call.hangup()
