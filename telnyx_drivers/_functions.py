"""Functions of an application that an AI assistant may call: their JSON schemas, and what becomes of a call."""

import inspect
import json
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from functools import partial
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    TypeAlias,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

import anyio
from attrs import frozen

from telnyx_core._wire.codec import mapping, parse, string
from telnyx_core._wire.json_types import Json, JsonObject, JsonView
from telnyx_core.errors import LocalProtocolError
from telnyx_core.events import AiConversation, CallUpdated, Event, SocketClose
from telnyx_core.ids import CallId
from telnyx_core.states import CallState
from telnyx_drivers import _logs as logs
from telnyx_drivers._guard import ApplicationFault, Spawn, isolated, reason_of
from telnyx_drivers._listening import Listens
from telnyx_drivers._worker_threads import in_thread

Function: TypeAlias = Callable[..., object]
F = TypeVar("F", bound=Function)

TIME_LIMIT: Final = 10.0
"""Seconds for one call of a function: a caller waits in silence meanwhile."""
MOST_ANSWERED: Final = 1_024
"""Calls of functions that are remembered, so that each is answered once: more than a conversation has."""
_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")


@frozen
class _Kind:
    """The type of an argument: its JSON schema, and the value that a JSON value stands for."""

    schema: JsonObject
    read: Callable[[Json], object]
    """Raises `ValueError` for a value of another type."""


@frozen
class ClientTool:
    """A function that the assistant may call."""

    name: str
    description: str
    timeout: float
    function: Function
    parameters: Mapping[str, _Kind]
    required: tuple[str, ...]
    call: str | None
    """The parameter that takes the call."""

    @property
    def schema(self) -> JsonObject:
        properties: JsonObject = {name: kind.schema for name, kind in self.parameters.items()}
        return {
            "type": "function",
            "name": self.name,
            "description": self.description,
            "parameters": {
                "type": "object",
                "properties": properties,
                "required": list(self.required),
                "additionalProperties": False,
            },
        }

    def arguments(self, text: str) -> dict[str, object]:
        """The arguments of one call. Raises `ValueError`, which says what is wrong."""
        given = parse(text) if text.strip() else {}
        if not isinstance(given, dict):
            raise ValueError("the arguments are not a JSON object")
        if missing := [name for name in self.required if name not in given]:
            raise ValueError(f"missing: {', '.join(missing)}")
        if unknown := [name for name in given if name not in self.parameters]:
            raise ValueError(f"unknown: {', '.join(unknown)}")
        arguments = dict[str, object]()
        for name, value in given.items():
            try:
                arguments[name] = self.parameters[name].read(value)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
        return arguments


def client_tool(function: Function, name: str | None, description: str | None, timeout: float) -> ClientTool:
    """Raises ``TypeError`` for a function whose arguments cannot be described, ``ValueError`` for an unusable name."""
    chosen = name or str(getattr(function, "__name__", ""))
    if not _NAME.fullmatch(chosen):
        raise ValueError(f"a tool's name has 1 to 64 letters, digits, _ or -, not {chosen!r}")
    try:
        hints = get_type_hints(function, include_extras=True)
    except NameError as error:
        raise TypeError(f"{chosen}: {error}; the types of a tool's arguments are names of its module") from None
    parameters, required, call = dict[str, _Kind](), list[str](), None
    for parameter in inspect.signature(function).parameters.values():
        where = f"{chosen}({parameter.name})"
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"{where}: a tool's arguments have names")
        if parameter.name not in hints:
            raise TypeError(f"{where}: a tool's arguments have types, from which their schema is made")
        hint: object = hints[parameter.name]
        if _is_call(hint):
            call = parameter.name
            continue
        try:
            parameters[parameter.name] = _kind(hint)
        except TypeError as error:
            raise TypeError(f"{where}: {error}") from None
        if parameter.default is parameter.empty:
            required.append(parameter.name)
    said = inspect.getdoc(function) if description is None else description
    return ClientTool(chosen, said or "", timeout, function, parameters, tuple(required), call)


def _is_call(hint: object) -> bool:
    return isinstance(hint, type) and issubclass(hint, Listens)


def _kind(hint: object) -> _Kind:
    """Raises ``TypeError`` for a type that JSON has no values of."""
    origin, inside = get_origin(hint), cast("tuple[object, ...]", get_args(hint))
    if origin is Annotated:
        plain, said = _kind(inside[0]), [note for note in inside[1:] if isinstance(note, str)]
        return _Kind({**plain.schema, "description": " ".join(said)}, plain.read) if said else plain
    if origin is Literal:
        return _one_of(inside)
    if origin is Union or origin is UnionType:
        return _any_of([_kind(each) for each in inside])
    if origin is list:
        return _list_of(_kind(inside[0]))
    if origin is dict and inside[0] is str:
        return _mapping_of(_kind(inside[1]))
    if isinstance(hint, type) and is_typeddict(hint):
        return _record(hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        values = _one_of(tuple(member.value for member in hint))
        return _Kind(values.schema, lambda value: hint(values.read(value)))
    for known, kind in _PLAIN.items():
        if hint is known:
            return kind
    raise TypeError(f"{hint!r} has no JSON schema here: use str, int, float, bool, list, dict, Literal or TypedDict")


def _plain(name: str, *types: type) -> _Kind:
    def read(value: Json) -> Json:
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise ValueError(f"not of the type {name}")
        return value

    return _Kind({"type": name}, read)


_NUMBER: Final = _plain("number", int, float)
_PLAIN: Final[Mapping[object, _Kind]] = {
    str: _plain("string", str),
    bool: _plain("boolean", bool),
    int: _plain("integer", int),
    float: _Kind(_NUMBER.schema, lambda value: float(cast("float", _NUMBER.read(value)))),
    None: _plain("null", NoneType),
    NoneType: _plain("null", NoneType),
    list: _plain("array", list),
    dict: _plain("object", dict),
    object: _Kind({}, lambda value: value),
    Any: _Kind({}, lambda value: value),
}


def _one_of(values: tuple[object, ...]) -> _Kind:
    choices: list[Json] = [value for value in values if isinstance(value, str | int | NoneType)]
    if len(choices) < len(values):
        raise TypeError("each choice is a text, a whole number, True, False or None")

    def read(value: Json) -> Json:
        if not any(value == choice and type(value) is type(choice) for choice in choices):
            raise ValueError(f"not one of {json.dumps(choices)}")
        return value

    return _Kind({"enum": choices}, read)


def _any_of(kinds: list[_Kind]) -> _Kind:
    def read(value: Json) -> object:
        reasons = list[str]()
        for kind in kinds:
            try:
                return kind.read(value)
            except ValueError as error:
                reasons.append(str(error))
        raise ValueError(", ".join(reasons))

    schemas: list[Json] = [kind.schema for kind in kinds]
    return _Kind({"anyOf": schemas}, read)


def _list_of(kind: _Kind) -> _Kind:
    def read(value: Json) -> list[object]:
        if not isinstance(value, list):
            raise ValueError("not of the type array")
        return [kind.read(each) for each in value]

    return _Kind({"type": "array", "items": kind.schema}, read)


def _mapping_of(kind: _Kind) -> _Kind:
    def read(value: Json) -> dict[str, object]:
        if not isinstance(value, dict):
            raise ValueError("not of the type object")
        return {name: kind.read(each) for name, each in value.items()}

    return _Kind({"type": "object", "additionalProperties": kind.schema}, read)


def _record(hint: type) -> _Kind:
    kinds = {name: _kind(each) for name, each in get_type_hints(hint, include_extras=True).items()}
    required = sorted(cast("frozenset[str]", getattr(hint, "__required_keys__")))  # noqa: B009  # a TypedDict has them

    def read(value: Json) -> dict[str, object]:
        if not isinstance(value, dict):
            raise ValueError("not of the type object")
        if wrong := [*(each for each in required if each not in value), *(each for each in value if each not in kinds)]:
            raise ValueError(f"missing or unknown: {', '.join(wrong)}")
        return {name: kinds[name].read(each) for name, each in value.items()}

    properties: JsonObject = {name: kind.schema for name, kind in kinds.items()}
    return _Kind(
        {"type": "object", "properties": properties, "required": [*required], "additionalProperties": False}, read
    )


class Functions:
    """Runs what the assistant calls, and answers each call once.

    ``send`` sends an item to the assistant, ``handle`` gives the call that an event names, ``plain`` takes secrets out
    of a text.
    """

    def __init__(
        self,
        *,
        spawn: Spawn,
        send: Callable[[JsonView], None],
        handle: Callable[[CallId | None], object | None],
        plain: Callable[[str], str],
    ) -> None:
        self._spawn = spawn
        self._send = send
        self._handle = handle
        self._plain = plain
        self._tools: dict[str, ClientTool] = {}
        self._known: OrderedDict[str, None] = OrderedDict()
        """Ids of the calls that came, answered or not; a server may repeat one."""
        self._open: dict[str, CallId | None] = {}
        """Of these, what still waits for its answer, on the socket that it came on."""

    @property
    def schemas(self) -> tuple[JsonObject, ...]:
        return tuple(tool.schema for tool in self._tools.values())

    def add(self, tool: ClientTool) -> None:
        if tool.name in self._tools:
            raise ValueError(f"there is a tool {tool.name!r} already")
        self._tools[tool.name] = tool

    def hear(self, event: Event) -> None:
        match event:
            case AiConversation(params, _, call) if params.get("type") == "conversation.item.created":
                self._called(mapping(params, "item"), call)
            case CallUpdated(info) if info.state is CallState.DESTROY:
                self._forget([ident for ident, call in self._open.items() if call == info.id])
            case SocketClose():
                self._forget(list(self._open))  # an answer on another socket would belong to nothing (AI-023)
            case _:
                pass

    def _called(self, item: JsonObject, call: CallId | None) -> None:
        ident, name, arguments = string(item, "call_id"), string(item, "name"), item.get("arguments")
        if item.get("type") != "function_call" or ident is None or name is None or not isinstance(arguments, str):
            return
        tool = self._tools.get(name)
        if tool is None or ident in self._known:
            return  # the application answers by itself, or it was answered (AI-024)
        self._known[ident] = None
        if len(self._known) > MOST_ANSWERED:
            self._known.popitem(last=False)
        self._open[ident] = call

        async def run() -> None:
            output = await self._run(tool, arguments, call)
            if ident in self._open:
                self._forget([ident])
                self._answer(ident, tool, output)

        self._spawn(run)

    def _forget(self, idents: list[str]) -> None:
        for ident in idents:
            del self._open[ident]

    async def _run(self, tool: ClientTool, text: str, call: CallId | None) -> str:
        """The output, as JSON text: what the function returned, or ``{"error": ...}``."""
        try:
            arguments = tool.arguments(text)
        except ValueError as error:
            return _error(f"invalid arguments: {error}")
        if tool.call is not None:
            arguments[tool.call] = self._handle(call)
            if arguments[tool.call] is None:
                return _error("the call has ended")
        output: str | None = None
        with isolated(f"the tool {tool.name}") as running, anyio.move_on_after(tool.timeout) as patience:
            output = json.dumps(await _value(tool.function, arguments), allow_nan=False)
        if output is not None:
            return output
        if patience.cancelled_caught:
            return _error(f"no answer within {tool.timeout:g} s")
        raised = running.fault
        if isinstance(raised, ApplicationFault) and raised.__cause__ is not None:
            return _error(type(raised.__cause__).__name__)
        return _error("" if raised is None else self._plain(f"{type(raised).__name__}: {reason_of(raised)}"))

    def _answer(self, ident: str, tool: ClientTool, output: str) -> None:
        for said in (output, _error("the result is too long for one message")):
            try:
                self._send({"type": "function_call_output", "call_id": ident, "output": said})
            except LocalProtocolError as error:
                logs.client.warning("the answer of the tool %s was not sent: %s", tool.name, error)
            except ValueError as error:
                logs.client.error("the tool %s: %s", tool.name, error)
                continue
            return


async def _value(function: Function, arguments: dict[str, object]) -> object:
    if inspect.iscoroutinefunction(function):
        return await cast("Awaitable[object]", function(**arguments))
    returned = await in_thread(partial(function, **arguments), abandon_on_cancel=True)
    return await cast("Awaitable[object]", returned) if inspect.isawaitable(returned) else returned


def _error(text: str) -> str:
    return json.dumps({"error": text})
