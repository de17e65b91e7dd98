"""Whether a value that was read from JSON is what an attribute is declared to be."""

from types import UnionType
from typing import Final, Literal, Union, cast, get_args, get_origin

_MOST: Final = 2**63
"""No counter is larger, and arithmetic on larger integers may fail."""


def fits(value: object, kind: object) -> bool:
    """``kind`` may be a class, a `NewType`, a union, a `Literal` or ``tuple[..., ...]`` of them.

    For a float, a whole number will do.
    """
    kind = getattr(kind, "__supertype__", kind)
    origin = get_origin(kind)
    if origin is Literal:
        return value in get_args(kind)
    if origin in (Union, UnionType):
        return any(fits(value, each) for each in get_args(kind))
    if origin is tuple:
        each = get_args(kind)[0]
        return isinstance(value, tuple) and all(fits(item, each) for item in cast("tuple[object, ...]", value))
    if kind is int or kind is float:
        whole = isinstance(value, int) and not isinstance(value, bool) and -_MOST < value < _MOST
        return whole or (kind is float and isinstance(value, float))
    return isinstance(kind, type) and isinstance(value, kind)
