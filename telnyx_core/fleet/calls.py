"""What the ledger knows of one call: its key, its shard, how far it has come, and how it ended."""

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import Final, TypeVar

from attrs import AttrsInstance, asdict, field, fields, frozen

from telnyx_core._wire.json_types import Json, JsonObject, JsonView
from telnyx_core.journal.fits import fits

T = TypeVar("T", bound=AttrsInstance)

MAX_TEXT: Final = 256
"""Characters of a key and of a number: every request about the call repeats them."""


class Stage(IntEnum):
    """How far a call has come. It only ever grows."""

    ASSIGNED = 0
    """It has a slot; its owner has not begun to dial."""
    DIALLING = 1
    """The owner has said that it dials. From here on the call is never dialled again."""
    RINGING = 2
    """Outbound: the server has the call, and it is not answered. Inbound: the owner was allowed to answer it."""
    ACTIVE = 3
    """Answered. From here on the call survives its owner."""
    ENDED = 4


class Outcome(StrEnum):
    """How a call ended, as far as the fleet can tell."""

    COMPLETED = "completed"
    """It was answered, and one of the two ends hung up."""
    FAILED = "failed"
    """It was never answered, or the bot raised: ``cause`` and ``error`` say which."""
    LOST = "lost"
    """Its owner was lost before the answer, or the server had not kept the call until it was attached again."""
    UNKNOWN = "unknown"
    """Its owner was lost between the order to dial and the server's word: whether it was dialled is not known."""


def _outcome(value: str | None) -> Outcome | None:
    return None if value is None else Outcome(value)


@frozen(kw_only=True)
class CallRecord:
    """One call. Equal to another one exactly when nothing has happened in between."""

    key: str
    """The application's name of the call, or the server's of an inbound one."""
    shard: int
    """The number of the worker that it belongs to, whoever is that worker now."""
    call: str
    """The call's id, a UUID, which the server knows too."""
    number: str
    """The number that is dialled, or that calls."""
    inbound: bool = False
    """The number called us."""
    options: Mapping[str, Json] = field(factory=dict[str, Json], repr=False, hash=False)
    """Further options of the call, as `telnyx_core.options.CallOptions.from_mapping` takes them."""
    stage: Stage = field(default=Stage.ASSIGNED, converter=Stage)
    """How far it has come."""
    hangup: bool = False
    """It was asked for that the call ends."""
    owner: str = ""
    """The worker that has, or last had, the call."""
    moves: int = 0
    """How often another worker has taken the call over."""
    outcome: Outcome | None = field(default=None, converter=_outcome)
    """How it ended; ``None`` while it lives."""
    cause: str | None = None
    """Of the end, as ``NORMAL_CLEARING``; ``None`` where none was told."""
    code: int | None = None
    """The number of the cause by Q.850."""
    error: str | None = None
    """What the bot raised."""
    number_of_end: int = 0
    """Counts the ends of a fleet, from 1."""

    @property
    def live(self) -> bool:
        """It has a slot."""
        return self.stage is not Stage.ENDED


def record_to_json(record: CallRecord) -> JsonObject:
    """All but what is as it is by default."""
    plain = asdict(record, recurse=False)
    return {each.name: plain[each.name] for each in fields(CallRecord) if plain[each.name] != each.default}


def record_from_json(plain: JsonView) -> CallRecord:
    """What `record_to_json` wrote. Raises ``ValueError`` for anything else."""
    return built(CallRecord, plain)


def built(kind: type[T], plain: JsonView) -> T:
    """Of members as JSON; unknown ones are passed over. Raises ``ValueError`` for those that do not fit."""
    known = {each.name: _AS_JSON.get(each.name, each.type) for each in fields(kind)}
    members = {name: value for name, value in plain.items() if name in known}
    for name, value in members.items():
        if not fits(value, known[name]):
            raise ValueError(f"not a {kind.__name__}: {name}")
    try:
        return kind(**members)
    except TypeError as error:
        raise ValueError(f"not a {kind.__name__}: {error}") from None


_AS_JSON: Final[Mapping[str, object]] = {
    "stage": int,
    "outcome": str | None,
    "options": dict,
    "values": dict,
}
