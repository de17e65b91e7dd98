"""What the parties of a fleet ask of the ledger, and what it replies.

Every request may be repeated: where the reply was lost, asking once more changes nothing and brings the same reply.
"""

from collections.abc import Mapping
from typing import TypeAlias

from attrs import field, frozen

from telnyx_core._wire.json_types import Json, JsonView
from telnyx_core.fleet.calls import CallRecord, Outcome, Stage

# A worker's requests.


@frozen
class Acquire:
    """Give me the lease of this shard. Replies: `Lease`, `Taken`."""

    shard: int
    owner: str


@frozen(kw_only=True)
class Told:
    """What a worker says of one call."""

    key: str
    stage: Stage
    call: str = ""
    number: str = ""
    waited: float = 0.0
    """Seconds for which an inbound call that nobody has taken yet has been ringing here."""
    outcome: Outcome | None = None
    cause: str | None = None
    code: int | None = None
    error: str | None = None


@frozen
class Report:
    """Renew my lease; this has become of my calls. Replies: `Orders`, `Fenced`."""

    shard: int
    epoch: int
    """The fencing token."""
    told: tuple[Told, ...] = ()
    values: JsonView | None = field(default=None, repr=False)
    """The session's values for the next owner, where they have changed."""


@frozen
class Release:
    """I have left: give my lease to another. Replies: `Noted`, `Fenced`."""

    shard: int
    epoch: int
    values: JsonView | None = field(default=None, repr=False)


# The head's requests.


@frozen
class Open:
    """A head begins: so many slots in each shard, whose present owners are to hand over. Reply: `Noted`."""

    head: str
    """Its name; asked again by the same one, nobody hands over again."""
    slots: tuple[int, ...]


@frozen
class Beat:
    """There is a head. Reply: `View`."""

    since: int = 0
    """The number of the last end that it knows."""


@frozen
class Dial:
    """Place a call, unless there is one of this key. Replies: `Placed`, `Full`, `Closed`."""

    key: str
    call: str
    """The id that a new call is to have."""
    number: str
    options: Mapping[str, Json] = field(factory=dict[str, Json], repr=False)


@frozen
class HangUp:
    """End a call. Reply: `Noted`."""

    key: str


@frozen
class Died:
    """This owner was seen to have ended: its lease need not be waited for. Reply: `Noted`."""

    shard: int
    owner: str


@frozen
class HandOver:
    """Have the owners of these shards leave once there are others to take over. Reply: `Noted`."""

    shards: tuple[int, ...]
    at_once: bool = False
    """Have them leave although there is no other yet; the server keeps answered calls for 120 s."""


@frozen
class Close:
    """Take no more calls, from either side. Reply: `Noted`."""


@frozen
class Collect:
    """The ends up to this number have been read. Reply: `Noted`."""

    number_of_end: int


# The store's own request.


@frozen
class Restarted:
    """The store goes on where it was lost, maybe with another clock: each lease lasts its full time from now on. Reply:
    `Noted`."""


WorkerRequest: TypeAlias = Acquire | Report | Release
HeadRequest: TypeAlias = Open | Beat | Dial | HangUp | Died | HandOver | Close | Collect
Request: TypeAlias = WorkerRequest | HeadRequest | Restarted

# Replies.


@frozen
class Lease:
    """The shard is yours under this epoch, for so many seconds from when you asked."""

    epoch: int
    lasts: float
    values: JsonView = field(repr=False, hash=False)
    """The session's values that the last owner left; empty for the first one."""
    calls: tuple[CallRecord, ...]
    """The shard's live calls. Answered ones are to be attached."""


@frozen
class Taken:
    """The shard has another owner, whose lease ends so many seconds from now at the latest."""

    ends_in: float


@frozen
class Orders:
    """The lease is renewed, for so many seconds from when you asked."""

    lasts: float
    calls: tuple[CallRecord, ...]
    """The shard's live calls, with what is to be done about each in its stage."""
    declined: frozenset[str] = frozenset()
    """Inbound calls to decline: there is no slot for them."""
    elsewhere: frozenset[str] = frozenset()
    """Inbound calls that another worker answers; the server ends them here."""
    leave: bool = False
    """Hand over: leave without hanging up, then `Release`. Another worker waits for the lease already, or is not waited
    for."""
    closed: bool = False
    headed: bool = True
    """A head was there within the last minute."""


@frozen
class Fenced:
    """Refused: the shard has been given to another owner since. Stop at once."""


@frozen
class Placed:
    """The call of this key; ``new`` if it was not there before."""

    record: CallRecord
    new: bool


@frozen
class Full:
    """Every slot is in use."""


@frozen
class Closed:
    """The fleet takes no more calls."""


@frozen
class Noted:
    """Done, or nothing to be done."""


@frozen
class ShardView:
    """One shard, as a head sees it."""

    number: int
    slots: int
    in_use: int
    owner: str | None
    epoch: int
    ends_in: float
    """Seconds until the lease ends; not positive: it has ended."""
    leaving: bool


@frozen
class View:
    """The shards, the live calls, and the ends that the head does not know yet, in their order."""

    shards: tuple[ShardView, ...]
    live: tuple[CallRecord, ...]
    ended: tuple[CallRecord, ...]
    collected: int
    """The ends up to this number have been read by the application."""
    closed: bool


Reply: TypeAlias = Lease | Taken | Orders | Fenced | Placed | Full | Closed | Noted | View
