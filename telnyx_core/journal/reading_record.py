"""A reading written down, and read again: what is unknown is left out."""

from collections.abc import Mapping
from typing import Final, cast

from attrs import AttrsInstance, fields_dict

from telnyx_core._wire.json_types import Json, JsonObject, JsonView
from telnyx_core.journal.fits import fits
from telnyx_core.stats.snapshot import CandidateStats, CodecStats, PairStats, StatsSnapshot

_PARTS: Final[Mapping[str, type[AttrsInstance]]] = {
    "codec": CodecStats,
    "pair": PairStats,
    "local": CandidateStats,
    "remote": CandidateStats,
}
"""Members that are values of their own."""


def reading_record(reading: StatsSnapshot) -> JsonObject:
    """Members under their names here, in the units of `StatsSnapshot`."""
    return _record(reading)


def reading_from_record(record: JsonView) -> StatsSnapshot:
    """What `reading_record` wrote. Members that are not known here are passed over. Raises `ValueError`."""
    return cast("StatsSnapshot", _build(StatsSnapshot, record))


def _record(part: AttrsInstance) -> JsonObject:
    record: JsonObject = {}
    for name, attribute in fields_dict(type(part)).items():
        value = getattr(part, name)
        if name in _PARTS and value is not None:
            record[name] = _record(value)
        elif value is not None and value != attribute.default:
            record[name] = value
    return record


def _build(kind: type[AttrsInstance], record: JsonView) -> AttrsInstance:
    known = fields_dict(kind)
    members = {name: _member(name, value) for name, value in record.items() if name in known}
    for name, value in members.items():
        if not fits(value, known[name].type):
            raise ValueError(f"not a reading: {name}")
    try:
        return kind(**members)
    except TypeError as error:
        raise ValueError(f"not a reading: {error}") from None


def _member(name: str, value: Json) -> object:
    part = _PARTS.get(name)
    if part is None:
        return value
    if not isinstance(value, dict):
        raise ValueError(f"not a reading: {name} is no object")
    return _build(part, value)
