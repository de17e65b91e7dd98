"""`token_provider`: a token whenever one is needed (signaling.md 4.7, 4.8)."""

import base64
import functools
import json
import logging
import threading
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

import anyio
import pytest

from telnyx_core._time.timeouts import TOKEN_PAUSE as PAUSE
from telnyx_core.errors import FailureKind, InvalidCredentials, OptionsError
from telnyx_core.events import ErrorRaised, Event, Ready, WarningRaised
from telnyx_core.options import ClientOptions
from telnyx_core.states import SessionState
from telnyx_drivers._client import Client
from telnyx_drivers._services.tokens import PATIENCE
from telnyx_drivers._webrtc.ports import AnyLoop
from telnyx_drivers.asyncio import ConnectionFailed, LoginFailed, MemoryStore, TokenProviderFailed
from tests.drivers.conftest import MakeClient
from tests.drivers.fakes import WALL, World, next_of

pytestmark = pytest.mark.anyio
NOT_LOGGED_IN = (-32000, "Authentication Required")


def jwt(seconds: float, name: str = "alice") -> str:
    """A token that ends so long after the world began."""
    claims = base64.urlsafe_b64encode(json.dumps({"exp": WALL + seconds, "sub": name}).encode()).decode().rstrip("=")
    return f"e30.{claims}.c2ln"


class Provider:
    """Gives out what a test lays down, in order; the last of it for ever."""

    def __init__(self, *answers: object, delay: float = 0.0) -> None:
        self.answers = list(answers)
        self.delay = delay
        self.asked: list[float] = []
        self.at_once = 0
        self.most_at_once = 0

    async def __call__(self) -> Any:
        self.asked.append(anyio.current_time())
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await anyio.sleep(self.delay)
        finally:
            self.at_once -= 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def tokens_sent(world: World) -> list[str]:
    return [frame["params"]["login_token"] for frame in world.server.received if frame.get("method") == "login"]


def errors_of(client: Client) -> list[ErrorRaised]:
    heard: list[ErrorRaised] = []
    client.on(ErrorRaised, heard.append)
    return heard


async def test_no_other_login_method_is_needed(make_client: MakeClient, world: World) -> None:
    provider = Provider("t-1")
    async with make_client(login_token=None, token_provider=provider) as client:
        assert client.state is SessionState.READY
    assert tokens_sent(world) == ["t-1"]
    assert len(provider.asked) == 1


async def test_a_first_token_of_the_options_is_used_first(make_client: MakeClient, world: World) -> None:
    provider = Provider("t-2")
    client = make_client(login_token="t-1", token_provider=provider)
    await client.connect()
    await client.disconnect()
    assert provider.asked == []
    await client.connect()
    await client.disconnect()
    assert tokens_sent(world) == ["t-1", "t-2"]


@pytest.mark.parametrize(
    "login", [{"login": "me", "password": "pw"}, {"anonymous_login": {"target_id": "assistant-1"}}]
)
async def test_it_is_a_login_method_of_its_own(make_client: MakeClient, login: dict[str, Any]) -> None:
    with pytest.raises(OptionsError, match="choose one login method"):
        make_client(login_token=None, token_provider=Provider("t"), **login)


async def test_from_a_mapping_and_with_options(make_client: MakeClient, world: World) -> None:
    made = type(make_client())
    for mapping in ({"trickleIce": True}, {"login_token": "", "trickle_ice": True}):
        client = made.from_mapping(mapping, engine=AnyLoop(world.engine), token_provider=Provider("t-1"))
        assert client.options.trickle_ice
        async with client:
            pass
    assert tokens_sent(world) == ["t-1", "t-1"]
    options = ClientOptions(login_token="t-0")
    client = made(options, engine=AnyLoop(world.engine), token_provider=Provider("t-1"))
    async with client:
        pass
    assert tokens_sent(world)[-1] == "t-0"
    with pytest.raises(OptionsError, match="choose one"):
        made.from_mapping({"login": "me", "passwd": "pw"}, token_provider=Provider("t"))


async def test_a_new_one_is_asked_for_before_the_end_and_calls_go_on(make_client: MakeClient, world: World) -> None:
    """SIG-245, SIG-250: 120 s before the end, on the live socket; and again before the end of that one."""
    provider = Provider(jwt(600), jwt(1200), jwt(1_000_000))
    async with make_client(login_token=None, token_provider=provider) as client:
        world.server.mute.clear()
        call = await client.new_call("+1555")
        await call.wait_for_state("active")
        states: list[str] = []
        call.on("telnyx.notification", lambda event: states.append(event.call.state.value))
        await anyio.sleep(2000)
        assert provider.asked == pytest.approx([0, 480, 1080], abs=1)
        assert tokens_sent(world) == [jwt(600), jwt(1200), jwt(1_000_000)]
        assert states == []
        assert len(world.server.lines) == 1
        assert world.server.params("login")["sessid"] == "s-1", "SIG-233: the session goes on"


async def test_refused_on_connecting_another_is_asked_for(make_client: MakeClient, world: World) -> None:
    """The first came out of a cache."""
    world.server.tokens = {"fresh"}
    provider = Provider("stale", "fresh")
    async with make_client(login_token=None, token_provider=provider) as client:
        assert client.state is SessionState.READY
    assert tokens_sent(world) == ["stale", "fresh"]
    assert len(world.server.lines) == 1


async def test_one_that_is_never_good_is_a_login_failure(make_client: MakeClient, world: World) -> None:
    """And the provider is not asked for ever."""
    world.server.tokens = {"other"}
    provider = Provider("bad")
    with pytest.raises(LoginFailed) as caught:
        async with make_client(login_token=None, token_provider=provider):
            raise AssertionError("not reached")
    assert caught.value.error is not None
    assert caught.value.error.code == 46001
    assert not isinstance(caught.value, TokenProviderFailed)
    assert len(provider.asked) == 2


async def test_expired_during_an_outage_the_session_and_its_call_come_back(
    make_client: MakeClient, world: World
) -> None:
    """46001 on the new socket (SIG-218: after two passing refusals), a fresh token, and the same session as before."""
    provider = Provider("t-1", "t-2")
    async with make_client(login_token=None, token_provider=provider) as client:
        heard = errors_of(client)
        call = await client.new_call("+1555")
        await call.wait_for_state("active")
        world.server.tokens = {"t-2"}
        world.server.reattached = [call.id]
        stream = client.events()
        world.server.drop()
        await next_of(stream, Ready)
        assert tokens_sent(world) == ["t-1", "t-1", "t-1", "t-1", "t-2"]
        assert world.server.params("login")["sessid"] == "s-1"
        assert call.live
        assert [event.code for event in heard] == [45002, 46001]


async def test_no_longer_logged_in(make_client: MakeClient, world: World) -> None:
    """-32000 on a request is 46003; the session logs in again by itself, and with the fresh token too (SIG-077).

    Not more often than once in ten seconds.
    """
    provider = Provider("t-1", "t-2", "t-3")
    async with make_client(login_token=None, token_provider=provider) as client:
        heard = errors_of(client)
        for times in (1, 2):
            world.server.refuse_once["telnyx_rtc.gatewayState"] = NOT_LOGGED_IN
            assert await client.is_registered() is False
            await anyio.sleep(11)
            assert tokens_sent(world) == ["t-1", "t-1", "t-2", "t-2", "t-3"][: 1 + 2 * times]
            assert [event.code for event in heard] == [46003] * times
        assert await client.is_registered()


async def test_a_server_that_does_not_answer_is_no_reason_to_ask(make_client: MakeClient, world: World) -> None:
    provider = Provider("t-1")
    client = make_client(login_token=None, token_provider=provider, connect_timeout=40)
    heard = errors_of(client)
    world.server.mute.add("login")
    with pytest.raises((ConnectionFailed, LoginFailed)):
        await client.connect()
    await client.disconnect()
    assert 46001 in [event.code for event in heard]
    assert len(provider.asked) == 1


async def test_many_reasons_at_once_are_one_question(make_client: MakeClient, world: World) -> None:
    provider = Provider("t-1", "t-2", delay=5)
    client = make_client(login_token=None, token_provider=provider)
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(client.connect)
    assert len(provider.asked) == 1
    assert tokens_sent(world) == ["t-1"]
    for _ in range(3):
        world.server.refuse_once["telnyx_rtc.gatewayState"] = NOT_LOGGED_IN
        await client.is_registered()
    await anyio.sleep(20)
    assert len(provider.asked) == 2
    assert provider.most_at_once == 1
    await client.disconnect()


@pytest.mark.parametrize("life", [60, 119, 1])
async def test_tokens_with_less_life_than_the_notice_are_no_endless_loop(
    make_client: MakeClient, world: World, life: float
) -> None:
    """34001 comes with the login itself then (SIG-251)."""

    async def provider() -> str:
        asked.append(anyio.current_time())
        return jwt(anyio.current_time() - began + life)

    began, asked = anyio.current_time(), list[float]()
    async with make_client(login_token=None, token_provider=provider):
        await anyio.sleep(10 * PAUSE)
    assert 10 <= len(asked) <= 12
    assert all(later - earlier >= PAUSE for earlier, later in pairwise(asked[1:]))


async def test_a_refusal_does_not_wait_for_the_pause(make_client: MakeClient, world: World) -> None:
    provider = Provider(jwt(60), jwt(61), jwt(62), "good")
    async with make_client(login_token=None, token_provider=provider) as client:
        await anyio.sleep(PAUSE / 2)
        before = len(provider.asked)
        world.server.refuse_once["telnyx_rtc.gatewayState"] = NOT_LOGGED_IN
        await client.is_registered()
        await anyio.sleep(1)
        assert len(provider.asked) == before + 1


NONSENSE: list[tuple[object, str]] = [
    (RuntimeError("the key is k3y"), "it raised RuntimeError"),
    (TimeoutError(), "it raised TimeoutError"),
    (None, "it returned NoneType instead of a text"),
    (7, "it returned int instead of a text"),
    (b"token", "it returned bytes instead of a text"),
    ("", "a text that is no token"),
    (" \n", "a text that is no token"),
    ("a\nb", "a text that is no token"),
    ("x" * 70_000, "a text that is no token"),
]


@pytest.mark.parametrize("provided", [True, False], ids=["with a provider", "without"])
async def test_what_makes_no_credentials_is_raised_and_told(
    make_client: MakeClient, world: World, provided: bool
) -> None:
    """SIG-247: "error 46002 with ``type:"InvalidCredentialsOptions"``; nothing sent". It is the caller's mistake, and
    neither a reason to ask the provider nor the end of a `connect` under way.
    """
    world.server.register = False
    provider = Provider("t")
    client = make_client(login_token=None, token_provider=provider) if provided else make_client()
    heard = errors_of(client)
    async with anyio.create_task_group() as group:

        async def mistake() -> None:
            await anyio.sleep(1)
            before = len(world.server.received)
            with pytest.raises(InvalidCredentials):
                await client.login(login="only")
            assert len(world.server.received) == before
            world.server.register = True

        group.start_soon(mistake)
        await client.connect()
    (event,) = heard
    assert (event.code, event.name, event.fatal) == (46002, "INVALID_CREDENTIALS", True)
    assert event.error.original is not None
    assert event.error.original.kind.value == "InvalidCredentialsOptions"
    assert len(provider.asked) == int(provided)
    assert client.state is SessionState.READY
    await client.disconnect()


@pytest.mark.parametrize(("answer", "text"), NONSENSE, ids=range(len(NONSENSE)))
async def test_a_provider_that_fails_before_connecting_is_one_error(
    make_client: MakeClient, world: World, answer: object, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = make_client(login_token=None, token_provider=Provider(answer))
    heard = errors_of(client)
    with pytest.raises(TokenProviderFailed, match=text) as caught:
        async with client:
            raise AssertionError("not reached")
    error = caught.value.error
    assert error is not None
    assert (error.code, error.fatal) == (46002, False)
    assert error.original is not None
    assert error.original.kind is FailureKind.TOKEN_PROVIDER
    assert caught.value.__cause__ is (answer if isinstance(answer, Exception) else None)
    assert heard == [], "raised, and so not told twice"
    assert world.server.lines == []
    assert "k3y" not in caplog.text + str(caught.value) + repr(error)


@pytest.mark.parametrize(("answer", "text"), NONSENSE[:3], ids=["raises", "late", "nonsense"])
async def test_a_provider_that_fails_later_is_one_event(
    make_client: MakeClient, world: World, answer: object, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    provider = Provider(jwt(600), answer)
    async with make_client(login_token=None, token_provider=provider) as client:
        heard = errors_of(client)
        stream = client.events()
        await next_of(stream, WarningRaised)
        event = await next_of(stream, ErrorRaised)
        assert event.code == 46002
        assert text in str(event.error.original)
        await anyio.sleep(60)
        assert heard == [event]
        assert client.state is SessionState.READY, "the token in use is still good"
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(said) == 1, "seen without any set-up, once"
    assert text in said[0]
    assert "k3y" not in caplog.text


async def test_a_provider_that_does_not_answer(make_client: MakeClient, world: World) -> None:
    client = make_client(login_token=None, token_provider=Provider("t", delay=3600))
    began = anyio.current_time()
    with pytest.raises(TokenProviderFailed, match="no answer within 30 s"):
        await client.connect()
    assert anyio.current_time() - began == pytest.approx(PATIENCE)
    client = make_client(login_token=None, token_provider=Provider("t", delay=3600), connect_timeout=5)
    with pytest.raises(ConnectionFailed):
        async with client:
            raise AssertionError("not reached")


async def test_leaving_while_it_is_asked(make_client: MakeClient, world: World) -> None:
    """No task is left, and no token arrives afterwards."""
    provider = Provider(jwt(300), jwt(9000), delay=20)
    async with make_client(login_token=None, token_provider=provider, connect_timeout=None):
        await anyio.sleep(190)
        assert provider.at_once == 1
    assert provider.at_once == 0
    assert tokens_sent(world) == [jwt(300)]


async def test_what_a_former_process_remembered_is_not_given_up_for_a_new_token(
    make_client: MakeClient, world: World
) -> None:
    """SIG-235 is about other users; a provider speaks for one."""
    store = MemoryStore()
    store.save({"voice_sdk_id": "V-1", "session_id": "s-1", "session_id_stored_at": WALL - 10})
    async with make_client(login_token=None, token_provider=Provider("t-9"), store=store):
        assert world.server.params("login")["sessid"] == "s-1"
        assert "voice_sdk_id=V-1" in world.server.urls[0]


async def test_the_events_order_is_as_without_a_provider(make_client: MakeClient, world: World) -> None:
    seen: list[Event] = []
    client = make_client(login_token=None, token_provider=Provider("t"))
    client.on("telnyx.ready", seen.append)
    async with client:
        assert [type(event) for event in seen] == [Ready]


@pytest.mark.parametrize("kind", ["function", "partial", "lambda over a coroutine", "object"])
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_plain_functions_run_in_a_thread(make_client: MakeClient, world: World, kind: str) -> None:
    """They may block, as a request to a server does; the loop goes on. On real clocks: threads keep no other."""
    loop_thread = threading.current_thread()
    threads: list[threading.Thread] = []

    def provider(token: str = "t-1") -> str:
        threads.append(threading.current_thread())
        return token

    async def coroutine() -> str:
        return provider()

    class Object:
        def __call__(self) -> str:
            return provider()

    kinds: dict[str, Callable[[], str | Awaitable[str]]] = {
        "function": provider,
        "partial": functools.partial(provider, "t-1"),
        "lambda over a coroutine": lambda: coroutine(),
        "object": Object(),
    }
    async with make_client(login_token=None, token_provider=kinds[kind]):
        assert tokens_sent(world) == ["t-1"]
    assert (threads[0] is loop_thread) is (kind == "lambda over a coroutine")


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_what_a_provider_raises_is_not_in_the_log_whatever_it_is(
    make_client: MakeClient, faults: list[object], caplog: pytest.LogCaptureFixture
) -> None:
    """On real clocks, as above."""

    class Broken(BaseException):
        pass

    def provider() -> str:
        raise Broken("the key pl4nt3d")

    client = make_client(login_token=None, token_provider=provider)
    with pytest.raises(TokenProviderFailed, match="it raised Broken"):
        await client.connect()
    await client.disconnect()
    assert "pl4nt3d" not in caplog.text
    assert not faults


async def test_a_provider_that_does_not_answer_in_time_is_said_to_be_waited_for(make_client: MakeClient) -> None:
    client = make_client(login_token=None, token_provider=anyio.sleep_forever, connect_timeout=5)
    with pytest.raises(ConnectionFailed, match="not registered within 5 seconds: the token provider has not answered"):
        await client.connect()
    await client.disconnect()
