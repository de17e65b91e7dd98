"""Checks of the public methods' arguments: one table, keyed by argument name, and the decorator that applies it.

A wrong argument raises ``TypeError`` or ``ValueError`` where it is given, and the message says what to give instead.
If it got any further, it would break code that runs for every call of the client.
"""

import inspect
import os
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import partial, wraps
from math import isfinite
from random import Random
from ssl import SSLContext
from types import FunctionType, MethodType
from typing import Final, ParamSpec, TypeAlias, TypeVar, cast

from attrs import AttrsInstance, fields_dict

from telnyx_core._options.parsing import Checks, kind, seed_name
from telnyx_core._options.values import read_custom_headers
from telnyx_core._time.limits import MAX_SPEED_TEST_BYTES
from telnyx_core.options import ClientOptions

P = ParamSpec("P")
R = TypeVar("R")

Check: TypeAlias = Callable[[str, object], None]
"""Takes the argument's name and its value; raises ``TypeError`` or ``ValueError``."""

LONGEST_WAIT: Final = 7 * 86_400.0
"""Seconds; longer than any call, and less than a day given in milliseconds."""

_PLAY: Final = "a file's path, an iterator of AudioFrame (asynchronous or not), or a Voice such as a Tone"


def _is(value: object, *kinds: type) -> bool:
    """As ``isinstance``, but a type checker does not narrow by it: narrowing ``object`` gives partly unknown types."""
    return isinstance(value, kinds)


def _refuse(name: str, wanted: str, value: object) -> TypeError:
    return TypeError(f"{name} must be {wanted}, not {kind(value)}")


def text(wanted: str = "a string", *, optional: bool = False, empty: bool = True) -> Check:
    def check(name: str, value: object) -> None:
        if value is None and optional:
            return
        if not isinstance(value, str):
            raise _refuse(name, wanted + (" or None" if optional else ""), value)
        if not empty and not value:
            raise ValueError(f"{name} must be {wanted}, and not an empty one")

    return check


def whole(low: int, high: int | None = None, *, wanted: str = "a whole number", optional: bool = False) -> Check:
    def check(name: str, value: object) -> None:
        if value is None and optional:
            return
        if isinstance(value, bool) or not isinstance(value, int):
            raise _refuse(name, wanted + (" or None" if optional else ""), value)
        if value < low or (high is not None and value > high):
            limits = f"at least {low}" if high is None else f"from {low} to {high}"
            raise ValueError(f"{name} must be {limits}, not {value}")

    return check


def truth(*, optional: bool = False) -> Check:
    def check(name: str, value: object) -> None:
        if not isinstance(value, bool) and not (value is None and optional):
            raise _refuse(name, "True or False" + (", or None" if optional else ""), value)

    return check


def one_of(*choices: str) -> Check:
    words = ", ".join(map(repr, choices))

    def check(name: str, value: object) -> None:
        if not isinstance(value, str):
            raise _refuse(name, f"one of {words}", value)
        if value not in choices:
            raise ValueError(f"{name} must be one of {words}, not {value!r}")

    return check


def seconds(*, optional: bool = True, most: float = LONGEST_WAIT) -> Check:
    def check(name: str, value: object) -> None:
        if value is None and optional:
            return
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _refuse(name, "a number of seconds" + (" or None" if optional else ""), value)
        if not isfinite(value) or value < 0:
            raise ValueError(f"{name} must be a finite number of seconds, 0 or more, not {value}")
        if value > most:
            raise ValueError(f"{name} is in seconds: {value:g} is more than {most:g}; were milliseconds meant?")

    return check


def number(low: float, high: float) -> Check:
    def check(name: str, value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _refuse(name, "a number", value)
        if not low <= value <= high:
            raise ValueError(f"{name} must be from {low:g} to {high:g}, not {value}")

    return check


def optional(check: Check) -> Check:
    """As ``check``, and ``None``."""

    def holds(name: str, value: object) -> None:
        if value is not None:
            check(name, value)

    return holds


def _plain(value: object) -> FunctionType | None:
    """The function that is called in the end. Other objects are not asked: they may raise whatever they are asked."""
    while isinstance(value, partial | MethodType):
        value = cast("object", value.func if isinstance(value, partial) else value.__func__)
    return value if isinstance(value, FunctionType) else None


def function(wanted: str, *, optional: bool = False, awaited: bool = True) -> Check:
    """``awaited``: what it returns may be an awaitable."""

    def check(name: str, value: object) -> None:
        if value is None and optional:
            return
        if not callable(value):
            called = " (give the function itself, without calling it)" if inspect.isawaitable(value) else ""
            raise _refuse(name, f"{wanted}{called}" + (" or None" if optional else ""), value)
        plain = _plain(value)
        if inspect.isgeneratorfunction(plain) or inspect.isasyncgenfunction(plain):
            raise TypeError(f"{name} must be {wanted}, and not one that yields: to call it would run nothing of it")
        if not awaited and inspect.iscoroutinefunction(plain):
            raise TypeError(f"{name} must be {wanted}, and not an async one: its answer is needed at once")

    return check


def path(name: str, value: object) -> None:
    if not _is(value, str, os.PathLike) or _is(os.fspath(cast("os.PathLike[str]", value)), bytes):
        raise _refuse(name, "a path: a string or a pathlib.Path", value)
    if "\0" in os.fspath(cast("str | os.PathLike[str]", value)):
        raise ValueError(f"{name} must be a path without null characters")


def _not_used_up(name: str, wanted: str, value: object) -> None:
    """Refuse what can be iterated only once: to look at it would leave nothing of it."""
    if _is(value, Iterator):
        raise _refuse(name, wanted, value)


def images(name: str, value: object) -> None:
    _not_used_up(name, "a list of strings or of bytes", value)
    for member in Checks(TypeError).sequence(name, value):
        if not isinstance(member, str | bytes):
            raise _refuse(f"each of {name}", "a string or bytes", member)


def headers(name: str, value: object) -> None:
    if _is(value, Iterable) and not _is(value, list, tuple):
        # Do not iterate: looking at an iterator would use it up.
        raise _refuse(name, "a list of {'name': ..., 'value': ...} or of CustomHeader", value)
    read_custom_headers(value)


def json_object(name: str, value: object) -> None:
    if not _is(value, Mapping):
        raise _refuse(name, "a mapping", value)
    Checks(ValueError).json_object(name, value)


def mapping(name: str, value: object) -> None:
    if value is not None and not isinstance(value, Mapping):
        raise _refuse(name, "a mapping or None", value)


def states(name: str, value: object) -> None:
    """The members are looked at where they are read: an iterator can be read only once."""
    if _is(value, bytes, Mapping) or not (_is(value, Iterable) or hasattr(value, "value")):
        raise _refuse(name, "a state, such as 'active', or several", value)


def event(name: str, value: object) -> None:
    if not isinstance(value, str | type):
        raise _refuse(name, "an event's name, such as 'telnyx.ready', or its class", value)


def playable(name: str, value: object) -> None:
    """Types alone do not decide it: texts, mappings and raw audio can be iterated too."""
    if _is(value, str, os.PathLike):
        path(name, value)
        return
    if _is(value, bytes, bytearray, memoryview) or type(value).__module__ == "numpy":
        raise TypeError(f"{name} must be {_PLAY}; PCM is for audio_out.write(pcm, sample_rate=...)")
    if _is(value, AsyncIterable) or (hasattr(value, "read") and hasattr(value, "ended")):
        return
    if _is(value, Iterable) and not _is(value, Mapping):
        return  # its items are looked at one by one
    called = "; a coroutine must be awaited first" if inspect.iscoroutine(value) else ""
    raise TypeError(f"{name} must be {_PLAY}, not {kind(value)}{called}")


def _client_options(name: str, value: object) -> None:
    if isinstance(value, Mapping):
        raise TypeError("options in a mapping go to TelnyxRTC.from_mapping({...}); here they are keywords")
    if value is not None and not isinstance(value, ClientOptions):
        raise _refuse(name, "a ClientOptions; options by themselves are keywords, such as login_token=...", value)


def _store(name: str, value: object) -> None:
    if value is None:
        return
    methods = [getattr(value, method, None) for method in ("load", "save")]
    if not all(map(callable, methods)):
        raise _refuse(name, "a store with load() and save(), such as FileStore(path)", value)
    if any(inspect.iscoroutinefunction(_plain(method)) for method in methods):
        raise TypeError(f"{name} must have a load() and a save() that are not async: their end is not waited for")


def _rng(name: str, value: object) -> None:
    if value is not None and not isinstance(value, Random):
        raise _refuse(name, "a random.Random or None", value)


def _ssl(name: str, value: object) -> None:
    if value is not None and not isinstance(value, SSLContext):
        raise _refuse(name, "an ssl.SSLContext or None", value)


def _journal(name: str, value: object) -> None:
    if value is not None:
        path(name, value)


def _tone_sink(name: str, value: object) -> None:
    if value is not None and not callable(value) and not callable(getattr(value, "write", None)):
        raise _refuse(name, "a function that takes a frame, or what has write(frame)", value)


def _media_thread(name: str, value: object) -> None:
    if value is not None and not isinstance(value, bool):
        raise _refuse(name, "True, False or None", value)


_CLIENT: Final[Mapping[str, Check]] = {
    "options": _client_options,
    "token_provider": function("a function that returns a login token", optional=True),
    "engine": function("a function that makes a media engine"),
    "store": _store,
    "rng": _rng,
    "ssl": _ssl,
    "connect_timeout": seconds(most=3_600),
    "journal": _journal,
    "tone_sink": _tone_sink,
    "media_thread": _media_thread,
}


def client_arguments(**given: object) -> None:
    """Check a client's own arguments, those beside the options."""
    for name, value in given.items():
        _CLIENT[name](name, value)


def keywords_of(options: type[AttrsInstance], keywords: Mapping[str, object], instead: str) -> None:
    """Refuse an unknown keyword and name the right one, also for the spelling of the Telnyx documents."""
    known = fields_dict(options)
    for keyword in keywords:
        if keyword in known:
            continue
        spelt = {seed_name(name): name for name in known}
        nearest = spelt.get(keyword) or next(iter(get_close_matches(keyword.lower(), known, n=1)), None)
        hint = "" if nearest is None else f"; did you mean {nearest}=?"
        camel = f" The documents' spelling goes into {instead}." if keyword in spelt else ""
        raise TypeError(f"there is no option {keyword!r}{hint}{camel}")


def having(wanted: str, *members: str) -> Check:
    def check(name: str, value: object) -> None:
        missing = [member for member in members if not hasattr(value, member)]
        if missing or isinstance(value, type):
            raise _refuse(name, wanted, value)

    return check


_handler: Final = function("a function that takes the event")

ARGUMENTS: Final[Mapping[str, Check]] = {
    "api_key": text("an API key", optional=True, empty=False),
    "attachments": images,
    "base_url": text("a URL", empty=False),
    "body": text(),
    "call": text("the id of a call"),
    "caller_name": text(optional=True),
    "caller_number": text("a number", optional=True, empty=False),
    "cause": text("the name of a cause, such as 'USER_BUSY',", optional=True),
    "cause_code": whole(0, 999, wanted="a whole number, such as 17,", optional=True),
    "change": one_of("offline", "online", "path_changed", "resumed"),
    "channel": text("the name of a channel", empty=False),
    "channels": whole(1, 2),
    "client_state": text("text in base64", optional=True),
    "credentials": mapping,
    "custom_headers": headers,
    "data": json_object,
    "decline": text("the name of a cause, such as 'USER_BUSY'", empty=False),
    "description": text("a description", optional=True),
    "device_id": text("the id of a device", optional=True),
    "digits": text("a string of digits, such as '12#'", empty=False),
    "drain": truth(),
    "duration": seconds(),
    "event": event,
    "factory": function("an async function that opens it"),
    "frame_ms": whole(1, 1_000),
    "function": function("a function that the assistant may call", optional=True),
    "gap": seconds(),
    "handler": _handler,
    "item": json_object,
    "label": text(optional=True),
    "limit": whole(1, optional=True),
    "loop": truth(),
    "max_bps": whole(1, optional=True),
    "muted": truth(optional=True),
    "name": text("a name", optional=True, empty=False),
    "on_notification": function("a function that takes the event", optional=True),
    "other": having("the audio of another call, as call.audio", "couple_to", "add_voice"),
    "path": path,
    "recovered": truth(),
    "region": text("a region, such as 'eu',", empty=False),
    "sample_rate": whole(1),
    "sink_id": text("a name", empty=False),
    "sip_call_id": text("the Call-ID of a SIP dialog", optional=True),
    "sip_code": whole(100, 699, wanted="a SIP status, such as 486,", optional=True),
    "sip_reason": text(optional=True),
    "size": whole(1, MAX_SPEED_TEST_BYTES),
    "source_id": text("a name", empty=False),
    "states": states,
    "tap": having("a tap with sent(), heard(), close() and ended", "sent", "heard", "close", "ended"),
    "text": text(),
    "timeout": seconds(),
    "to": text("a number or an address", empty=False),
    "via": one_of("info", "rtp"),
    "voice": having("a Voice with read(), close(), ended and error", "read", "close", "ended", "error"),
    "volume": whole(-63, 0, optional=True),
    "wait_for_ready": truth(),
    "what": playable,
    "where": function("a function that takes the event", optional=True, awaited=False),
}


def checked(method: Callable[P, R]) -> Callable[P, R]:
    """Check a method's arguments by `ARGUMENTS` before it runs. The defaults are this package's own: no check."""
    return _checked(method, {})


def checked_with(**special: Check) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """As `checked`, for a method that takes another kind of value under a name of the table."""

    def decorate(method: Callable[P, R]) -> Callable[P, R]:
        return _checked(method, special)

    return decorate


def _checked(method: Callable[P, R], special: Mapping[str, Check]) -> Callable[P, R]:
    signature = inspect.signature(method)
    checks = {name: special.get(name, ARGUMENTS.get(name)) for name in signature.parameters}

    def check(arguments: tuple[object, ...], keywords: Mapping[str, object]) -> None:
        try:
            given = signature.bind(*arguments, **keywords).arguments
        except TypeError:
            return  # the call itself raises the clearer error
        for name, value in given.items():
            if (holds := checks[name]) is not None:
                holds(name, value)

    if inspect.iscoroutinefunction(method):

        @wraps(method)
        async def asynchronous(*arguments: P.args, **keywords: P.kwargs) -> object:
            check(arguments, keywords)
            return await method(*arguments, **keywords)

        return cast("Callable[P, R]", asynchronous)

    @wraps(method)
    def plain(*arguments: P.args, **keywords: P.kwargs) -> R:
        check(arguments, keywords)
        return method(*arguments, **keywords)

    return plain
