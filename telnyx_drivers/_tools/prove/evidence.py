"""The evidence of a step: every frame of its sessions, read from their journals, and other observations."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Literal, TypeAlias

from attrs import field, frozen

from telnyx_core._wire.codec import Reply, Request, decode, integer, mapping, string
from telnyx_core._wire.json_types import Json, JsonObject, JsonView
from telnyx_core.journal.recorded_session import Replay
from telnyx_drivers.diagnose.findings import Probe

PREFIX: Final = "telnyx_rtc."

Step: TypeAlias = Literal["servers", "talk", "codecs", "relay", "drop", "away", "back", "drift"]
STEPS: Final[tuple[Step, ...]] = ("servers", "codecs", "talk", "relay", "drop", "away", "back", "drift")


_WORDS: Final = {"True": "yes", "False": "no", "None": "none"}


@frozen
class Frame:
    """One frame on a socket, its secrets replaced by pseudonyms; the same secret always has the same one."""

    at: float
    """Seconds since the session began."""
    outward: bool
    """Sent by this client."""
    socket: int
    body: JsonObject = field(repr=False)

    @property
    def method(self) -> str:
        """Without the prefix; empty for a reply."""
        method = self.body.get("method")
        return method.removeprefix(PREFIX) if isinstance(method, str) else ""

    @property
    def params(self) -> JsonView:
        return mapping(self.body, "params")

    @property
    def result(self) -> JsonView:
        return mapping(self.body, "result")

    @property
    def sdp(self) -> str:
        """Of the message, or empty."""
        text = self.params.get("sdp")
        return text if isinstance(text, str) else ""

    @property
    def call(self) -> str:
        """The id of the call that it is about, or empty."""
        for members in (self.params, self.result, mapping(self.params, "dialogParams")):
            ident = members.get("callID")
            if isinstance(ident, str):
                return ident
        return ""


@frozen
class SocketEnd:
    at: float
    socket: int
    code: int


@frozen(kw_only=True)
class Session:
    """What passed on the sockets of one client."""

    frames: tuple[Frame, ...]
    ends: tuple[SocketEnd, ...] = ()

    def sent(self, method: str) -> Iterator[Frame]:
        return (frame for frame in self.frames if frame.outward and frame.method == method)

    def came(self, *methods: str) -> Iterator[Frame]:
        return (frame for frame in self.frames if not frame.outward and frame.method in methods)

    def reply(self, request: Frame) -> Frame | None:
        ident = request.body.get("id")
        for frame in self.frames:
            if frame.outward is not request.outward and not frame.method and frame.body.get("id") == ident:
                return frame
        return None


@frozen(kw_only=True)
class Evidence:
    """What one step has found. ``seen`` holds observations that are not in the frames, by name."""

    step: Step
    failure: str | None = None
    """Why it could not be completed."""
    seconds: float = 0.0
    calls: int = 0
    sessions: tuple[Session, ...] = field(default=(), repr=False)
    """What passed on their sockets, in the order of ``journals``."""
    journals: tuple[Path, ...] = ()
    probes: tuple[Probe, ...] = ()
    seen: Mapping[str, Json] = field(factory=dict[str, Json])

    @property
    def told(self) -> str:
        """A short text for a person."""
        parts = [f"{name.replace('_', ' ')} {_WORDS.get(str(value), value)}" for name, value in self.seen.items()]
        if self.probes:
            parts.append(f"{sum(probe.ok for probe in self.probes)} of {len(self.probes)} answered")
        return self.failure or ", ".join(parts)

    def document(self) -> JsonObject:
        shown: JsonObject = {**self.seen}
        if self.probes:
            shown["servers"] = [probe.document() for probe in self.probes]
        return {
            "step": self.step,
            "failure": self.failure,
            "seconds": round(self.seconds, 1),
            "calls": self.calls,
            "seen": shown,
        }


def read_session(journal: Path) -> Session:
    """Raises `OSError`, or `ValueError` for a file that is no journal."""
    replay = Replay.from_lines(journal.read_text(encoding="utf-8").splitlines())
    frames: list[Frame] = []
    ends: list[SocketEnd] = []
    first = now = next((entry.now for entry in replay.entries if entry.now is not None), 0.0)
    for entry in replay.entries:
        now = entry.now if entry.now is not None else now
        fact = mapping(entry.given, "fact")
        if fact.get("is") == "TextReceived":
            frames += _frame(fact, now - first, outward=False)
        elif fact.get("is") == "SocketClosed":
            ends.append(SocketEnd(now - first, integer(fact, "socket") or 0, integer(fact, "code") or 0))
        for action in entry.actions:
            if action.get("is") == "SendText":
                frames += _frame(action, now - first, outward=True)
    return Session(frames=tuple(frames), ends=tuple(ends))


def _frame(record: JsonView, at: float, *, outward: bool) -> Iterator[Frame]:
    match decode(string(record, "text") or ""):
        case Request(frame=body) | Reply(frame=body):
            yield Frame(at, outward, integer(record, "socket") or 0, body)
        case _:
            pass
