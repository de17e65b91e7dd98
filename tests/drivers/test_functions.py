"""Functions that an AI assistant calls (calls.md 13.3): what they are given, and what the assistant is told."""

import json
import threading
import time
from collections.abc import Callable
from enum import Enum
from typing import Annotated, Any, Literal, TypedDict

import anyio
import pytest

from telnyx_core.events import TranscriptUpdated
from telnyx_core.gateway.options import Assistant
from telnyx_drivers._client import Client
from telnyx_drivers._functions import client_tool
from telnyx_drivers._worker_threads import in_thread
from telnyx_drivers.asyncio import CallHandle
from telnyx_drivers.gateway import Gateway, GatewayThread
from telnyx_drivers.sync import Call, TelnyxRTC
from tests.drivers.conftest import MakeClient
from tests.drivers.fakes import World

anyio_only = pytest.mark.anyio


class Size(Enum):
    SMALL = "s"
    LARGE = "l"


class Item(TypedDict, total=False):
    name: str
    count: int


def schema(function: Callable[..., object]) -> Any:
    return client_tool(function, None, None, 1.0).schema


def read(function: Callable[..., object], arguments: object) -> dict[str, object]:
    return client_tool(function, None, None, 1.0).arguments(json.dumps(arguments))


def test_the_schema_is_that_of_the_signature() -> None:
    def order(
        what: Annotated[str, "The name of the dish."],
        size: Size,
        items: list[Item],
        paid: bool,
        call: CallHandle,
        tip: float | None = None,
        how: Literal["here", "to go"] = "here",
        *,
        notes: dict[str, int] | None = None,
    ) -> None:
        """Order a dish."""

    assert schema(order) == {
        "type": "function",
        "name": "order",
        "description": "Order a dish.",
        "parameters": {
            "type": "object",
            "properties": {
                "what": {"type": "string", "description": "The name of the dish."},
                "size": {"enum": ["s", "l"]},
                "items": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"name": {"type": "string"}, "count": {"type": "integer"}},
                        "required": [],
                        "additionalProperties": False,
                    },
                },
                "paid": {"type": "boolean"},
                "tip": {"anyOf": [{"type": "number"}, {"type": "null"}]},
                "how": {"enum": ["here", "to go"]},
                "notes": {"anyOf": [{"type": "object", "additionalProperties": {"type": "integer"}}, {"type": "null"}]},
            },
            "required": ["what", "size", "items", "paid"],
            "additionalProperties": False,
        },
    }
    given = {"what": "soup", "size": "l", "items": [{"count": 2}], "paid": True, "tip": 1}
    assert read(order, given) == {**given, "size": Size.LARGE, "tip": 1.0}
    for wrong, said in (
        ({}, "missing: what, size, items, paid"),
        ({**given, "x": 1}, "unknown: x"),
        ({**given, "what": 7}, "what: not of the type string"),
        ({**given, "paid": 1}, "paid: not of the type boolean"),
        ({**given, "tip": True}, "tip: not of the type number, not of the type null"),
        ({**given, "size": "xl"}, 'size: not one of \\["s", "l"\\]'),
        ({**given, "items": [{"count": 1.5}]}, "items: not of the type integer"),
        ({**given, "items": [{"price": 1}]}, "items: missing or unknown: price"),
        ({**given, "notes": {"a": "b"}}, "notes: not of the type integer"),
        ([], "not a JSON object"),
    ):
        with pytest.raises(ValueError, match=said):
            read(order, wrong)
    with pytest.raises(ValueError, match="not JSON"):
        client_tool(order, None, None, 1.0).arguments("{")


def test_a_function_that_cannot_be_described_is_refused_where_it_is_given() -> None:
    def untyped(x) -> None: ...  # type: ignore[no-untyped-def]
    def several(*x: int) -> None: ...
    def odd(x: set[int]) -> None: ...
    def nowhere(x: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821

    for function, said in ((untyped, "have types"), (several, "have names"), (odd, "no JSON schema"), (nowhere, "Now")):
        with pytest.raises(TypeError, match=said):
            client_tool(function, None, None, 1.0)
    for name in ("", "a b", "x" * 65):
        with pytest.raises(ValueError, match="a tool's name"):
            client_tool(lambda: 1, name, None, 1.0)


class Talk:
    """A call to an assistant that is played by the test."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def begin(self, client: Client) -> CallHandle:
        call = await client.new_call("+1555")
        await call.wait_for_state("active", timeout=10)
        return call

    def ask(self, name: str, arguments: object = None, ident: str = "c1") -> None:
        text = arguments if isinstance(arguments, str) else json.dumps({} if arguments is None else arguments)
        item = {"type": "function_call", "call_id": ident, "name": name, "arguments": text}
        params = {"type": "conversation.item.created", "item": item}
        self._world.server.line.deliver({"jsonrpc": "2.0", "method": "ai_conversation", "params": params})

    def answers(self) -> list[tuple[str, Any]]:
        """The outputs that the server has got: id, and what the text stands for."""
        frames = [frame for frame in self._world.server.received if frame.get("method") == "ai_conversation"]
        items = [frame["params"]["item"] for frame in frames]
        return [(item["call_id"], json.loads(item["output"])) for item in items]


@pytest.fixture
def talk(world: World) -> Talk:
    return Talk(world)


async def soon() -> None:
    for _ in range(20):
        await anyio.sleep(0.001)


@anyio_only
async def test_a_call_is_answered_with_what_the_function_returns(make_client: MakeClient, talk: Talk) -> None:
    async with make_client() as client:
        given: list[object] = []

        @client.tool
        async def add(a: int, b: int, call: CallHandle) -> dict[str, int]:
            given.append(call)
            return {"sum": a + b}

        @client.tool(name="where", description="Says where it runs.")
        def in_which_thread() -> str:
            return threading.current_thread().name

        assert [tool["name"] for tool in client.tools] == ["add", "where"]
        call = await talk.begin(client)
        talk.ask("add", {"a": 1, "b": 2})
        await soon()
        assert talk.answers() == [("c1", {"sum": 3})]
        assert given == [call]
        talk.ask("where", ident="c2")
        while len(talk.answers()) < 2:  # in real time, whatever the clock of the loop says
            await in_thread(lambda: time.sleep(0.001))
        assert talk.answers()[1][1] != threading.current_thread().name
        talk.ask("add", {"a": 1, "b": 2})
        talk.ask("elsewhere", ident="c3")
        await soon()
        assert len(talk.answers()) == 2, "AI-024: each is answered once, and others' functions not at all"


@anyio_only
async def test_what_goes_wrong_is_told_to_the_assistant(
    make_client: MakeClient, talk: Talk, faults: list[object]
) -> None:
    """AI-023."""
    async with make_client(login_token="t0ken") as client:

        @client.tool
        async def fails() -> None:
            raise LookupError("no such order; the token is t0ken")

        @client.tool(timeout=2.0)
        async def hangs() -> None:
            await anyio.sleep_forever()

        @client.tool
        async def odd() -> object:
            return object()

        @client.tool
        async def endless() -> str:
            return "x" * 1_000_000

        await talk.begin(client)
        for number, name in enumerate(("fails", "odd", "endless", "fails")):
            talk.ask(name, "{" if number == 3 else None, ident=f"c{number}")
            await soon()
        talk.ask("hangs", ident="slow")
        await anyio.sleep(3)
        told = dict(talk.answers())
        assert told["c0"]["error"].startswith("LookupError: no such order")
        assert "t0ken" not in told["c0"]["error"]
        assert "TypeError" in told["c1"]["error"]
        assert told["c2"] == {"error": "the result is too long for one message"}
        assert told["c3"] == {"error": "invalid arguments: not JSON"}
        assert told["slow"] == {"error": "no answer within 2 s"}
        assert client.connected


@anyio_only
@pytest.mark.parametrize("gone", ["socket", "call"])
async def test_nothing_is_sent_once_the_socket_or_the_call_is_gone(
    make_client: MakeClient, world: World, talk: Talk, gone: str
) -> None:
    """AI-023: an answer on another socket would belong to nothing."""
    async with make_client() as client:
        done = anyio.Event()

        @client.tool
        async def slow() -> str:
            await done.wait()
            return "late"

        call = await talk.begin(client)
        talk.ask("slow")
        await soon()
        if gone == "socket":
            world.server.drop()
            await client.wait_for("telnyx.ready", timeout=60)
        else:
            await call.hangup()
        done.set()
        await soon()
        assert talk.answers() == []


@anyio_only
async def test_a_name_is_given_once(make_client: MakeClient) -> None:
    client = make_client()
    client.tool(soon)
    with pytest.raises(ValueError, match="there is a tool 'soon' already"):
        client.tool(soon)


@anyio_only
async def test_the_transcript_is_heard_and_can_be_read(make_client: MakeClient, world: World) -> None:
    async with make_client() as client:
        heard: list[str] = []

        @client.on_transcript
        def note(event: Any) -> None:
            heard.append(event.item.content)

        call = await client.new_call("+1555")
        await call.wait_for_state("active", timeout=10)
        of_the_call: list[object] = []
        call.on_transcript(lambda event: of_the_call.append(event))
        for piece in ("Good ", "day."):
            params = {"type": "response.text.delta", "delta": piece, "item_id": "a"}
            world.server.line.deliver({"jsonrpc": "2.0", "method": "ai_conversation", "params": params})
        await soon()
        assert heard == ["Good ", "Good day."]
        assert len(of_the_call) == 2
        assert [item.content for item in client.transcript] == ["Good day."]
        assert client.widget_settings is None
        assert client.conversation_id is None


@anyio_only
async def test_images_go_along_as_urls_or_as_what_is_in_their_files(make_client: MakeClient, world: World) -> None:
    async with make_client() as client:
        call = await client.new_call("+1555")
        await call.wait_for_state("active", timeout=10)
        png = b"\x89PNG\r\n\x1a\n" + bytes(9)
        await call.send_conversation_message("Look", ["https://x.test/a.jpg", png])
        content = world.server.params("ai_conversation")["item"]["content"]
        urls = [part["image_url"]["url"] for part in content[1:]]
        assert urls == ["https://x.test/a.jpg", "data:image/png;base64,iVBORw0KGgoAAAAAAAAAAAA="]
        with pytest.raises(ValueError, match="PNG, JPEG, GIF or WebP"):
            await call.send_conversation_message("Look", [b"%PDF-1.7"])


@pytest.mark.net
@pytest.mark.media
def test_without_async_a_function_runs_in_a_thread_and_is_given_the_call() -> None:
    assistant = Assistant(greeting="Hello.", tools={"order": ("order", {"dish": "soup"})})
    target = {"target_id": "a1"}
    given: list[object] = []

    with (
        GatewayThread(lambda: Gateway(assistants={"a1": assistant})) as gateway,
        TelnyxRTC(anonymous_login=target, env=gateway.url, ice_servers=[]) as client,
    ):

        @client.tool
        def order(dish: str, call: Call) -> str:
            given.append((call.state.value, threading.current_thread().name))
            return f"one {dish}"

        assert client.tools[0]["name"] == "order"
        call = client.new_call()
        call.wait_for_state("active", timeout=10)
        call.send_conversation_message("I want to order")
        client.wait_for(TranscriptUpdated, timeout=10, where=lambda event: event.item.content == '"one soup"')
        assert given[0][0] == "active"  # type: ignore[index]
        assert [item.role for item in client.transcript] == ["assistant", "user", "assistant"]
        call.hangup()
