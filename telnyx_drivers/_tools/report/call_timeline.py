"""The content of a report page, whatever it was read from. Times are epoch seconds; unknown values are ``None``."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

from attrs import field, frozen

if TYPE_CHECKING:
    from telnyx_drivers._audio.turns import Turn

Lane: TypeAlias = Literal["call", "socket", "gathering", "ice", "dtls", "peer"]
Side: TypeAlias = Literal["app", "server", "media", "self"]
Level: TypeAlias = Literal["warning", "error", "info"]
Source: TypeAlias = Literal["journal", "debug file", "call report", "stats report"]


@frozen(kw_only=True)
class Sample:
    """One second of a call."""

    at: float
    rtt: float | None = None
    """Milliseconds, like ``jitter`` and ``delay``."""
    jitter: float | None = None
    loss: float | None = None
    """Percent of the interval."""
    mos: float | None = None
    heard: float | None = None
    said: float | None = None
    """Levels, 0 to 1."""
    received: float | None = None
    sent: float | None = None
    """Kilobits a second of payload."""
    concealed: float | None = None
    """Percent of what was heard."""
    delay: float | None = None
    """What the jitter buffer held audio back, on average."""


@frozen
class Change:
    """From now on something is in this state. ``of`` tells one peer from another."""

    at: float
    lane: Lane
    state: str
    of: str = ""


@frozen
class Note:
    """A warning, an error, or what else is worth a mark on the charts."""

    at: float
    level: Level
    code: int | None
    name: str
    said: str = field(default="", repr=False)
    """The server's or the transport's own words."""


@frozen
class Message:
    """One row of the ladder. ``outward``: said by the client."""

    at: float
    side: Side
    label: str
    outward: bool
    bad: bool = False
    count: int = 1
    detail: str = field(default="", repr=False)


@frozen
class Step:
    """One step of the establishment; milliseconds."""

    label: str
    from_start: float
    delta: float


@frozen
class End:
    """One end of a candidate pair."""

    address: str = field(repr=False)
    port: int | None
    kind: str
    protocol: str
    network: str | None = None
    relay_protocol: str | None = None


@frozen
class Path:
    """The pair in use from ``at`` on."""

    at: float
    local: End
    remote: End


@frozen
class Fact:
    """One row of the table of facts."""

    label: str
    value: str


@frozen(kw_only=True)
class Totals:
    """Of the whole call, as it was reported at the time. Milliseconds and percent."""

    mos: float | None = None
    least_mos: float | None = None
    rtt: float | None = None
    most_rtt: float | None = None
    jitter: float | None = None
    most_jitter: float | None = None
    loss: float | None = None
    most_loss: float | None = None


@frozen(kw_only=True)
class CallTimeline:
    id: str
    direction: str | None = None
    local_number: str = field(default="", repr=False)
    remote_number: str = field(default="", repr=False)
    started_at: float | None = None
    active_at: float | None = None
    ended_at: float | None = None
    cause: str | None = None
    ended_by: str = ""
    """The cause with its numbers, as much of it as is known: ``USER_BUSY (17), SIP 486 Busy Here``."""
    recovered: bool = False
    totals: Totals | None = None
    """``None``: to be taken from the samples."""
    facts: tuple[Fact, ...] = ()
    samples: tuple[Sample, ...] = ()
    changes: tuple[Change, ...] = ()
    notes: tuple[Note, ...] = ()
    steps: tuple[Step, ...] = ()
    paths: tuple[Path, ...] = ()
    turns: "tuple[Turn, ...]" = ()
    """As the far end lived them, in seconds since the first audio."""
    candidates: tuple[str, ...] = field(default=(), repr=False)
    """Those of this end, in the form of RFC 8839."""


@frozen(kw_only=True)
class Story:
    source: Source
    made_by: str
    """The software that the file is from."""
    calls: tuple[CallTimeline, ...]
    messages: tuple[Message, ...] = ()
    remarks: tuple[str, ...] = ()
    """What a reader should know about the file itself."""


def responses(turns: "Sequence[Turn]") -> list[float]:
    """Seconds that the far end waited for each answer."""
    return [turn.response for turn in turns if turn.who == "local" and turn.response is not None]
