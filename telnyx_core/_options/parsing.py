"""Reading what the application wrote: names, types and ranges, with errors that say which option is wrong.

An error names the option and the type of what was given. It never repeats a text value, which may be a secret.
"""

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from math import isfinite
from typing import Final, TypeAlias, TypeVar, cast

from attrs import Attribute, AttrsInstance, field, fields, frozen

from telnyx_core._wire.json_types import Json, JsonObject

MAX_JSON_DEPTH: Final = 32
MAX_JSON_INT: Final = 2**64

_PLAIN_TYPES: Final[Mapping[type, str]] = {bool: "True or False", str: "a string", int: "a whole number"}
_SEED_NAMES: Final = {
    "login_token": "login_token",
    "anonymous_login": "anonymous_login",
    "preferred_codecs": "preferred_codecs",
    "max_kbps": "sdpASBandwidthKbps",
    "setup_timeout": "timeoutSecs",
    "recover": "recoverCall",
}


def seed_name(keyword: str) -> str:
    """The documents' spelling of a Python keyword: camelCase, but for the few names that they write otherwise."""
    head, *tail = keyword.split("_")
    return _SEED_NAMES.get(keyword) or head + "".join(word.capitalize() for word in tail)


Reader: TypeAlias = Callable[[object], object]


def as_given(value: object) -> object:
    return value


@frozen
class Name:
    """An accepted spelling: the keyword it stands for, and how to read its value."""

    keyword: str
    read: Reader = as_given


@cache
def _plain_members(cls: type[AttrsInstance]) -> tuple[tuple[str, type, bool], ...]:
    """Those of a plain type, and whether ``None`` is one as well."""
    return tuple(
        (attribute.name, plain, attribute.type != plain)
        for attribute in cast("tuple[Attribute[object], ...]", fields(cls))
        for plain in _PLAIN_TYPES
        if attribute.type in (plain, plain | None)
    )


@frozen
class Checks:
    """Checks and readers that refuse with one class of error, naming the option under ``path``."""

    error: type[Exception]
    path: str = field(default="")

    def refuse(self, name: str, problem: str) -> Exception:
        documented = seed_name(name)
        alias = "" if documented == name else f" ({documented})"
        return self.error(f"{self.path}{name}{alias} {problem}")

    def types(self, instance: AttrsInstance) -> None:
        """Hold an attrs object's members to their annotations, as far as these are ``bool``, ``str`` or ``int``."""
        for name, plain, optional in _plain_members(type(instance)):
            value: object = getattr(instance, name)
            if type(value) is plain or (optional and value is None):
                continue
            if not isinstance(value, plain) or (plain is int and isinstance(value, bool)):
                raise self.refuse(name, f"must be {_PLAIN_TYPES[plain]}, not {kind(value)}")

    def range(self, name: str, number: int | None, low: int, high: int | None = None) -> None:
        if number is not None and (number < low or (high is not None and number > high)):
            wanted = f"at least {low}" if high is None else f"from {low} to {high}"
            raise self.refuse(name, f"must be {wanted}, not {brief(number)}")

    def seconds(self, name: str, value: object, *, most: float) -> float:
        """A duration in ``0 < t <= most`` seconds. ``most`` catches milliseconds given where seconds are due."""
        number = finite(value)
        if number is None:
            raise self.refuse(name, f"must be a finite number of seconds, not {kind(value)}")
        if not 0 < number <= most:
            hint = f"; were milliseconds meant? That would be {number / 1000:g}" if number > most else ""
            raise self.refuse(name, f"must be more than 0 and at most {most:g} seconds, not {number:g}{hint}")
        return number

    def mapping(self, name: str, value: object) -> Mapping[object, object]:
        if not isinstance(value, Mapping):
            raise self.refuse(name, f"must be a mapping, not {kind(value)}")
        return cast("Mapping[object, object]", value)

    def sequence(self, name: str, value: object, example: str = "") -> tuple[object, ...]:
        """The members of a list or another iterable; a text or a mapping is none."""
        given = kind(value)
        if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
            raise self.refuse(name, f"must be a list, not {given}{example and f'; for example {example}'}")
        return tuple(cast("Iterable[object]", value))

    def json_object(self, name: str, value: object) -> JsonObject:
        """A deep copy of a mapping that JSON can carry."""
        return self._json_members(name, self.mapping(name, value), depth=0)

    def _json_members(self, name: str, members: Mapping[object, object], depth: int) -> JsonObject:
        copy: JsonObject = {}
        for key, value in members.items():
            if not isinstance(key, str):
                raise self.refuse(name, f"must have strings as keys, not {kind(key)}")
            copy[key] = self._json(name, value, depth + 1)
        return copy

    def _json(self, name: str, value: object, depth: int) -> Json:
        if depth > MAX_JSON_DEPTH:
            raise self.refuse(name, f"is nested more than {MAX_JSON_DEPTH} deep")
        if value is None or isinstance(value, bool | str):
            return value
        if isinstance(value, int) and abs(value) < MAX_JSON_INT:
            return value
        if isinstance(value, float) and isfinite(value):
            return value
        if isinstance(value, Mapping):
            return self._json_members(name, cast("Mapping[object, object]", value), depth)
        if isinstance(value, list | tuple):
            return [self._json(name, item, depth + 1) for item in cast("list[object] | tuple[object, ...]", value)]
        raise self.refuse(name, f"holds a value that JSON cannot carry: {kind(value)}")

    def keywords(self, mapping: object, names: Mapping[str, Name]) -> dict[str, object]:
        """Translate a mapping in any accepted spelling to keywords. ``None`` means "not given" (calls.md section 2)."""
        here = self.path.removesuffix(".")
        if not isinstance(mapping, Mapping):
            raise self.error(f"{here or 'options'} must be a mapping, not {kind(mapping)}")
        read: dict[str, object] = {}
        spelled: dict[str, str] = {}
        for name, given in cast("Mapping[object, object]", mapping).items():
            if not isinstance(name, str):
                raise self.error(f"the names in {here or 'options'} must be strings, not {kind(name)}")
            if name not in names:
                there_is_no = f"{here} has no member" if here else "there is no option"
                raise self.error(f"{there_is_no} {brief(name)}{_suggestion(name, names)}")
            if given is None:
                continue
            keyword = names[name].keyword
            value = names[name].read(given)
            if keyword in read and read[keyword] != value:
                both = f"{self.path}{spelled[keyword]} and {self.path}{name}"
                raise self.error(f"{both} are the same option, given with different values")
            read[keyword] = value
            spelled[keyword] = name
        return read


Built = TypeVar("Built")


def build(constructor: Callable[..., Built], keywords: Mapping[str, object]) -> Built:
    """Call with keywords whose types the constructor itself checks."""
    return constructor(**keywords)


def both_spellings(keywords: Mapping[str, Reader]) -> dict[str, Name]:
    """Names for keywords whose value is read in the same way under either spelling."""
    return {
        name: Name(keyword, read)
        for keyword, read in keywords.items()
        for name in dict.fromkeys((keyword, seed_name(keyword)))
    }


def finite(value: object) -> float | None:
    """The value as float if it is a finite number; ``None`` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if isfinite(number) else None


def milliseconds(value: object) -> object:
    """Milliseconds as seconds; what is no number is left for the option's own check to refuse."""
    number = finite(value)
    return value if number is None else number / 1000


def kind(value: object) -> str:
    """What something is, without saying what is in it."""
    return "None" if value is None else type(value).__name__


def brief(value: str | int) -> str:
    """A name or a number, cut to a length fit for an error."""
    if isinstance(value, int):
        return str(value) if abs(value) < MAX_JSON_INT else "a number of more than 64 bits"
    return repr(value if len(value) <= 40 else value[:40] + "…")


def _suggestion(name: str, names: Mapping[str, Name]) -> str:
    lower: dict[str, str] = {}
    for known in names:
        lower.setdefault(known.lower(), known)
    nearest = get_close_matches(name[:64].lower(), lower, n=1)
    return f"; did you mean {lower[nearest[0]]!r}?" if nearest else ""
