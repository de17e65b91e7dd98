"""A snapshot of all state of an object, to check that something "changes nothing"."""

from collections.abc import Iterable, Mapping
from enum import Enum
from random import Random
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Final, TypeAlias, cast

Picture: TypeAlias = "tuple[object, ...] | str | int | float | bool | None"

_PASSING: Final = frozenset({"_now", "now", "_heap"})
"""The time and the stale entries of a heap: they may change although the state is the same."""
_PLAIN: Final = (str, bytes, int, float, bool, type(None))


def snapshot(machine: object) -> Picture:
    """Equal pictures, equal machines: everything reachable, with objects that are shared told from equal ones."""
    return _Painter().paint(machine)


class _Painter:
    def __init__(self) -> None:
        self._seen: dict[int, int] = {}

    def paint(self, value: object) -> Picture:
        if isinstance(value, _PLAIN):
            return (type(value).__name__, repr(value))
        if isinstance(value, Enum):
            return ("enum", str(value))
        if isinstance(value, Random):
            return ("dice", hash(value.getstate()))
        if isinstance(value, type | FunctionType | BuiltinFunctionType):
            return ("code", value.__qualname__)
        if isinstance(value, MethodType):
            return ("method", value.__func__.__qualname__, self.paint(value.__self__))
        if id(value) in self._seen:
            return ("again", self._seen[id(value)])
        self._seen[id(value)] = len(self._seen)
        return (type(value).__name__, *self._members(value))

    def _members(self, value: object) -> Iterable[Picture]:
        if isinstance(value, Mapping):
            members = cast("Mapping[object, object]", value)
            return [(self.paint(key), self.paint(member)) for key, member in members.items()]
        if isinstance(value, set | frozenset):
            return sorted((self.paint(member) for member in cast("set[object]", value)), key=repr)
        if isinstance(value, Iterable):
            return [self.paint(member) for member in cast("Iterable[object]", value)]
        return [(name, self.paint(getattr(value, name))) for name in _names(value) if name not in _PASSING]


def _names(value: object) -> list[str]:
    names = {*getattr(value, "__dict__", ()), *_slots(type(value))}
    return sorted(name for name in names if not name.startswith("__") and hasattr(value, name))


_SLOTS: Final[dict[type, frozenset[str]]] = {}
"""Of each type that has been in a picture: the worlds take thousands of them."""


def _slots(kind: type) -> frozenset[str]:
    if kind not in _SLOTS:
        names: set[str] = set()
        for each in kind.__mro__:
            slots: str | Iterable[str] = getattr(each, "__slots__", ())
            names.update([slots] if isinstance(slots, str) else slots)
        _SLOTS[kind] = frozenset(names)
    return _SLOTS[kind]
