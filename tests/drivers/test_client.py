"""The client as an application sees it, from connecting to leaving."""

import anyio
import pytest

from telnyx_core.errors import InvalidCallParameters, InvalidCredentials, NotConnected, OptionsError
from telnyx_core.events import CloseReason, ErrorRaised, Event, Ready, SessionClosed, SocketClose, SocketOpen
from telnyx_core.states import SessionState
from telnyx_drivers.asyncio import ConnectionFailed, LoginFailed, MediaUnavailable
from tests.drivers.conftest import MakeClient
from tests.drivers.fakes import World, next_of
from tests.drivers.inside import session_of

pytestmark = pytest.mark.anyio


async def test_inside_the_block_it_is_registered_and_afterwards_closed(make_client: MakeClient, world: World) -> None:
    async with make_client() as client:
        assert client.state is SessionState.READY
        assert client.connected
        assert client.session_id == "s-1"
        assert world.server.params("login")["login_token"] == "t0ken"
    assert client.state is SessionState.IDLE
    assert not client.connected
    assert world.server.line.over


async def test_refused_credentials_are_a_login_failure_with_the_catalogue_entry(
    make_client: MakeClient, world: World
) -> None:
    world.server.refuse["login"] = (-32001, "Authentication Failure")
    with pytest.raises(LoginFailed) as caught:
        async with make_client():
            raise AssertionError("not reached")
    assert caught.value.error is not None
    assert caught.value.error.code == 46001
    assert caught.value.failure is not None
    assert "Authentication Failure" in str(caught.value.failure)


async def test_a_socket_that_cannot_be_created_is_a_connection_failure(make_client: MakeClient, world: World) -> None:
    world.server.url_error = "blocked port"
    with pytest.raises(ConnectionFailed) as caught:
        async with make_client():
            raise AssertionError("not reached")
    assert caught.value.reason is CloseReason.REFUSED
    assert caught.value.error is not None
    assert caught.value.error.code == 45001


async def test_a_server_that_never_answers_is_given_up_after_the_timeout(make_client: MakeClient, world: World) -> None:
    world.server.accepting = False
    client = make_client(connect_timeout=20)
    with pytest.raises(ConnectionFailed) as caught:
        async with client:
            raise AssertionError("not reached")
    assert caught.value.reason is None
    assert len(world.server.lines) == 2, "15 s for each attempt (SIG-034)"
    assert client.state is SessionState.IDLE


async def test_attempts_used_up_end_in_a_connection_failure(make_client: MakeClient, world: World) -> None:
    world.server.accepting = False
    with pytest.raises(ConnectionFailed) as caught:
        async with make_client(connect_timeout=None, max_reconnect_attempts=2):
            raise AssertionError("not reached")
    assert caught.value.reason is CloseReason.EXHAUSTED
    assert caught.value.error is not None
    assert caught.value.error.code == 45003
    assert len(world.server.lines) == 3


async def test_an_exception_in_the_block_passes_and_the_client_is_closed(make_client: MakeClient) -> None:
    client = make_client()
    with pytest.raises(ZeroDivisionError):
        async with client:
            raise ZeroDivisionError
    assert client.state is SessionState.IDLE


async def test_by_hand_it_can_be_connected_again_and_keeps_its_handlers(make_client: MakeClient, world: World) -> None:
    client = make_client()
    seen: list[Event] = []
    client.on("telnyx.ready", seen.append)
    client.on(SessionClosed, seen.append)
    for _ in range(2):
        await client.connect()
        await client.connect()  # T03: nothing to do
        await client.disconnect()
        await client.disconnect()  # SIG-281
    assert [type(event) for event in seen] == [Ready, SessionClosed, Ready, SessionClosed]
    assert len(world.server.lines) == 2


async def test_events_are_read_in_order_and_end_with_the_session(make_client: MakeClient) -> None:
    client = make_client()
    stream = client.events()
    async with client:
        pass
    kinds = [type(event) async for event in stream]
    assert [kind for kind in kinds if kind in (SocketOpen, Ready, SocketClose, SessionClosed)] == [
        SocketOpen,
        Ready,
        SocketClose,
        SessionClosed,
    ]
    assert kinds[-1] is SessionClosed


async def test_a_lost_socket_is_replaced_within_the_block(make_client: MakeClient, world: World) -> None:
    async with make_client() as client:
        stream = client.events()
        world.server.drop()
        async for event in stream:
            if isinstance(event, Ready):
                break
        assert len(world.server.lines) == 2
        assert client.state is SessionState.READY


async def test_news_of_the_network_shortens_the_wait(make_client: MakeClient, world: World) -> None:
    """SIG-272, T40."""
    client = make_client()
    client.network_changed("online")  # nobody is there to be told
    async with client:
        stream = client.events()
        client.network_changed("offline")
        assert (await next_of(stream, ErrorRaised)).code == 48001
        world.server.accepting = False
        world.server.drop()
        for _ in range(6):
            await anyio.sleep(15)
        assert client.state in (SessionState.BACKOFF, SessionState.CONNECTING)
        while client.state is not SessionState.BACKOFF:
            await next_of(stream, SocketClose)
        await anyio.sleep(1.5)
        world.server.accepting = True
        began = anyio.current_time()
        client.network_changed("online")
        await next_of(stream, Ready)
        assert anyio.current_time() - began < 0.5


async def test_login_again_with_a_fresh_token(make_client: MakeClient, world: World) -> None:
    async with make_client() as client:
        await client.login(login_token="fresh")
        assert world.server.params("login")["login_token"] == "fresh"
        world.server.refuse["login"] = (-32001, "no")
        with pytest.raises(LoginFailed) as caught:
            await client.login({"login": "me", "password": "wrong"})
        assert caught.value.error is not None
        assert caught.value.error.code == 46001
        assert client.state is SessionState.READY, "T27b"
        with pytest.raises(InvalidCredentials):
            await client.login(login_token="")


async def test_a_refused_login_can_be_mended_by_hand(make_client: MakeClient, world: World) -> None:
    world.server.refuse["login"] = (-32001, "no")
    client = make_client()
    with pytest.raises(LoginFailed):
        await client.connect()
    assert client.state is SessionState.AUTH_FAILED
    stream = client.events()
    world.server.refuse.clear()
    await client.login(login_token="better")
    async for event in stream:
        if isinstance(event, Ready):
            break
    await client.disconnect()


async def test_registration_can_be_asked_for(make_client: MakeClient, world: World) -> None:
    async with make_client() as client:
        assert await client.is_registered() is True
        world.server.register = False
        assert await client.get_is_registered() is False


async def test_login_without_a_socket_fails_at_once(make_client: MakeClient) -> None:
    with pytest.raises(LoginFailed, match="NotConnected"):
        await make_client().login(login_token="t")


async def test_a_call_needs_a_connection_and_a_destination(make_client: MakeClient) -> None:
    client = make_client()
    with pytest.raises(NotConnected):
        await client.new_call("+1555")
    async with client:
        with pytest.raises(InvalidCallParameters, match="44002"):
            await client.new_call()
        assert client.calls == {}


async def test_options_are_checked_when_the_client_is_made(make_client: MakeClient) -> None:
    with pytest.raises(OptionsError):
        make_client(login="me", password="and a token too")
    with pytest.raises(TypeError, match="either options or keywords"):
        make_client(options=make_client().options)


async def test_without_the_media_extra_signalling_works_and_calls_say_what_is_missing(make_client: MakeClient) -> None:
    def no_engine(report: object) -> None:
        raise MediaUnavailable("pip install 'telnyx-rtc[media]'")

    async with make_client(engine=no_engine) as client:
        with pytest.raises(MediaUnavailable, match="telnyx-rtc"):
            await client.new_call("+1555")
        assert client.calls == {}


async def test_what_the_session_wants_remembered_goes_to_the_store(make_client: MakeClient, world: World) -> None:
    class Store:
        def __init__(self) -> None:
            self.values: object = None

        def load(self) -> None:
            return None

        def save(self, values: object) -> None:
            self.values = values

    store = Store()
    async with make_client(store=store):
        assert "s-1" in repr(store.values)
    assert "s-1" not in repr(store.values), "SIG-235: the application's own disconnect forgets the session"


async def test_errors_reach_handlers_with_flat_members(make_client: MakeClient, world: World) -> None:
    codes: list[int] = []
    client = make_client()
    client.on("telnyx.error", lambda event: codes.append(event.code))
    async with client:
        stream = client.events()
        world.server.drop()
        async for event in stream:
            if isinstance(event, ErrorRaised):
                break
    assert codes == [45002]


async def test_another_region(make_client: MakeClient, world: World) -> None:
    """`switch_region` returns once registered there, and a wrong one is refused where it is given."""
    async with make_client() as client:
        await client.switch_region("eu")
        assert client.state is SessionState.READY
        assert session_of(client).options.region == "eu"
        assert len([frame for frame in world.server.received if frame.get("method") == "login"]) == 2
        with pytest.raises(TypeError, match="region must be a region"):
            await client.switch_region(7)  # type: ignore[arg-type]
    await client.switch_region("apac")
    assert client.state is SessionState.IDLE


@pytest.mark.parametrize("held", [5, "text", ["list"], {1: 2}, {"session": object()}])
async def test_a_store_that_holds_something_else_counts_as_empty(
    make_client: MakeClient, faults: list[object], held: object, caplog: pytest.LogCaptureFixture
) -> None:
    class Store:
        def load(self) -> object:
            return held

        def save(self, values: object) -> None:
            pass

    async with make_client(store=Store()) as client:
        assert client.state is SessionState.READY
    assert ("load() returns a mapping or None" in caplog.text) == (not isinstance(held, dict))


async def test_a_store_with_async_methods_is_refused(make_client: MakeClient) -> None:
    """What it was given was lost, without a word."""

    class Store:
        async def load(self) -> None:
            return None

        def save(self, values: object) -> None:
            pass

    with pytest.raises(TypeError, match="not async"):
        make_client(store=Store())
    await anyio.lowlevel.checkpoint()
