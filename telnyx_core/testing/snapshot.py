"""A snapshot of all state of an object, to check that something "changes nothing"."""

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from enum import Enum
from random import Random
from types import BuiltinFunctionType, FunctionType, MethodType, NoneType
from typing import Final, cast

from attrs import frozen

_THEMSELVES: Final = frozenset({str, NoneType})
_NUMBERS: Final = frozenset({int, float, bool})
_LEAVES: Final[tuple[tuple[type | tuple[type, ...], Callable[[object], object]], ...]] = (
    ((str, bytes, int, float), lambda value: (type(value).__name__, repr(value))),
    (Enum, lambda value: ("enum", value)),
    (Random, lambda value: ("dice", hash(cast("Random", value).getstate()))),
    ((type, FunctionType, BuiltinFunctionType), lambda value: ("code", cast("type", value).__qualname__)),
)
"""What else has no members, and how it is drawn."""
_PASSING: Final = frozenset({"_now", "now", "_heap"})
"""The time and the stale entries of a heap: they may change although the state is the same."""
_ABSENT: Final = object()


def snapshot(machine: object) -> object:
    """Equal pictures, equal machines: everything reachable, with objects that are shared told from equal ones."""
    return _Painter().paint(machine)


class _Painter:
    """Made for speed, as the worlds take tens of thousands of pictures: each type is asked once what it is."""

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}

    def paint(self, value: object) -> object:
        kind = type(value)
        if kind in _THEMSELVES:
            return value
        if kind in _NUMBERS:
            return (kind.__name__, repr(value))
        if leaf := _KINDS[kind].leaf:
            return leaf(value)
        if isinstance(value, MethodType):
            return ("method", value.__func__.__qualname__, self.paint(value.__self__))
        number = len(self._seen)
        before = self._seen.setdefault(id(value), number)
        return (kind.__name__, *self._members(value)) if before == number else ("again", before)

    def _members(self, value: object) -> Iterable[object]:
        paint, kind = self.paint, _KINDS[type(value)]
        if kind.container is Mapping:
            members = cast("Mapping[object, object]", value)
            return [(paint(key), paint(member)) for key, member in members.items()]
        if kind.container is AbstractSet:
            return sorted(map(paint, cast("AbstractSet[object]", value)), key=repr)
        if kind.container is Iterable:
            return map(paint, cast("Iterable[object]", value))
        names = kind.slots
        if more := getattr(value, "__dict__", None):
            names = sorted({*names, *_telling(more)})
        held = [(name, getattr(value, name, _ABSENT)) for name in names]
        return [(name, paint(member)) for name, member in held if member is not _ABSENT]


@frozen
class _Kind:
    """What is known of a type."""

    leaf: Callable[[object], object] | None
    container: type | None
    slots: list[str]


class _Kinds(dict[type, _Kind]):
    def __missing__(self, kind: type) -> _Kind:
        leaf = next((draw for kinds, draw in _LEAVES if issubclass(kind, kinds)), None)
        container = next((each for each in (Mapping, AbstractSet, Iterable) if issubclass(kind, each)), None)
        known = self[kind] = _Kind(leaf, container, sorted(_telling(_slots(cast("type[object]", kind)))))
        return known


_KINDS: Final = _Kinds()


def _slots(kind: type) -> Iterable[str]:
    for each in kind.__mro__:
        slots: str | Iterable[str] = getattr(each, "__slots__", ())
        yield from [slots] if isinstance(slots, str) else slots


def _telling(names: Iterable[str]) -> set[str]:
    return {name for name in names if not name.startswith("__")} - _PASSING
