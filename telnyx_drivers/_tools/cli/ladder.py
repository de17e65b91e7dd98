"""A session's journal as a ladder diagram: what each party sent to which other, and when.

Four lifelines: the application, the session, the server and the media engine. One row for each thing said; rows of the
same kind that repeat without anything else between them are folded into one with a count.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Final, Literal, TypeAlias, cast

from attrs import evolve, field, frozen

from telnyx_core._wire.json_types import Json, JsonObject, JsonView
from telnyx_core.journal.recorded_session import Entry, Replay

Side: TypeAlias = Literal["app", "server", "media", "self"]

LANES: Final = ("application", "session", "server", "media")
_GAP: Final = 30
_QUIET: Final = frozenset({"SocketMessage", "Remember", "TakeStats", "StatsTaken", "StatsFrame"})
"""What comes every second and is no news, and what repeats another row."""


@frozen
class LadderRow:
    """One row. ``outward`` means: said by the session."""

    time: float
    side: Side
    label: str
    outward: bool
    bad: bool = False
    count: int = 1
    detail: str = field(default="", repr=False)
    """The whole frame, as far as the journal has it."""


def rungs(replay: Replay) -> list[LadderRow]:
    """The rows of a whole journal, times from its first entry on, in seconds."""
    folded: list[LadderRow] = []
    for rung in all_rungs(replay.entries):
        last = folded[-1] if folded else None
        if last is not None and (last.side, last.label, last.outward) == (rung.side, rung.label, rung.outward):
            folded[-1] = evolve(last, count=last.count + 1)
        else:
            folded.append(rung)
    return folded


def draw(rung: LadderRow) -> str:
    """One row in plain text."""
    label = rung.label if rung.count == 1 else f"{rung.label} x{rung.count}"
    lanes = [" " * (_GAP - 1)] * 3
    match rung.side:
        case "app":
            lanes[0] = _arrow(label, _GAP - 1, rightward=not rung.outward)
        case "server":
            lanes[1] = _arrow(label, _GAP - 1, rightward=rung.outward)
        case "media":
            wide = _arrow(label, 2 * _GAP - 1, rightward=rung.outward)
            return f"{rung.time:9.3f}  │{lanes[0]}│{wide}│"
        case "self":
            lanes[1] = f" {label}"[: _GAP - 1].ljust(_GAP - 1)
    return f"{rung.time:9.3f}  │{lanes[0]}│{lanes[1]}│{lanes[2]}│"


def heading() -> str:
    return " " * 7 + "".join(name.ljust(_GAP) for name in LANES).rstrip()


def _arrow(label: str, width: int, *, rightward: bool) -> str:
    text = f" {label[: width - 6]} "
    line = text.center(width - 2, "─")
    return f"─{line}▶" if rightward else f"◀{line}─"


def all_rungs(entries: Iterable[Entry]) -> Iterator[LadderRow]:
    """The rows before they are folded."""
    first = next((entry.now for entry in entries if entry.now is not None), 0.0)
    now = first
    for entry in entries:
        now = entry.now if entry.now is not None else now
        time = now - first
        given = entry.given
        fact = given.get("fact")
        if isinstance(fact, dict):
            if str(fact.get("is")) not in _QUIET:
                yield _fact(fact, time)
        elif "timeout" in given:
            if (reason := _short(str(given["timeout"]))) != "stats":
                yield LadderRow(time, "self", f"deadline {reason}", outward=True)
        else:
            raised = given.get("raised")
            label = str(given.get("command")) + (f" refused: {raised}" if raised else "")
            yield LadderRow(time, "app", label, outward=False, bad=bool(raised))
        for action in entry.actions:
            rung = _action(action, time)
            if rung is not None:
                yield rung


def _fact(fact: JsonObject, time: float) -> LadderRow:
    kind = str(fact.get("is"))
    match kind:
        case "TextReceived":
            label, bad = frame_label(fact.get("text"))
            return LadderRow(time, "server", label, outward=False, bad=bad, detail=str(fact.get("text")))
        case "SocketOpened" | "SocketRefused" | "BinaryReceived" | "NetworkChanged":
            return LadderRow(time, "server", kind, outward=False, bad=kind == "SocketRefused")
        case "SocketClosed":
            return LadderRow(time, "server", f"closed {fact.get('code')}", outward=False, bad=not fact.get("clean"))
        case "PostAnswered":
            return LadderRow(time, "server", f"upload {fact.get('upload')} {fact.get('status')}", outward=False)
        case "PostFailed":
            return LadderRow(time, "server", f"upload {fact.get('upload')} failed", outward=False, bad=True)
        case "UploadWritten":
            return LadderRow(time, "self", f"upload {fact.get('upload')} written", outward=False)
        case "TokenProvided":
            return LadderRow(time, "app", "token provided", outward=False)
        case "TokenRefused":
            return LadderRow(time, "app", f"no token: {fact.get('reason')}", outward=False, bad=True)
        case "RecordingFault":
            return LadderRow(time, "app", f"recording {fact.get('kind')}", outward=False, bad=True)
        case "AudioBroke":
            return LadderRow(time, "app", f"audio source broke: {fact.get('reason')}", outward=False, bad=True)
        case "DigitSensed":
            return LadderRow(time, "media", f"digit {fact.get('digit')} in the audio", outward=False)
        case "PeerStateChanged":
            state = str(fact.get("state"))
            return LadderRow(time, "media", f"peer {fact.get('media')} {state}", outward=False, bad=state == "failed")
        case "TransportStateChanged":
            state = str(fact.get("state"))
            return LadderRow(time, "media", f"{fact.get('layer')} {state}", outward=False, bad=state == "failed")
        case _:
            bad = kind in ("SourceRefused", "RemoteRefused", "NegotiationFailed")
            return LadderRow(time, "media", f"{kind} {fact.get('media')}", outward=False, bad=bad)


def _action(action: JsonView, time: float) -> LadderRow | None:
    kind = str(action.get("is"))
    if kind in _QUIET or str(action.get("event")) in _QUIET:
        return None
    match kind:
        case "SendText":
            label, bad = frame_label(action.get("text"))
            return LadderRow(time, "server", label, outward=True, bad=bad, detail=str(action.get("text")))
        case "OpenSocket" | "CloseSocket" | "AbandonSocket":
            return LadderRow(time, "server", f"{kind} {action.get('socket')}", outward=True)
        case "Notify":
            event = str(action.get("event"))
            said = action.get("state") or action.get("name") or ""
            return LadderRow(time, "app", f"{event} {said}".strip(), outward=True, bad="fatal" in action)
        case "Settle":
            failed = action.get("outcome") == "Failed"
            return LadderRow(
                time, "app", f"ticket {action.get('ticket')} {action.get('outcome')}", outward=True, bad=failed
            )
        case "StartTone" | "StopTone":
            return LadderRow(time, "media", f"{kind} {action.get('tone')}", outward=True)
        case "WriteReport" | "WriteRecording" | "RecordCall" | "WriteDebug" | "GiveUpUpload":
            return LadderRow(time, "self", kind, outward=True)
        case "AskToken":
            return LadderRow(time, "app", kind, outward=True)
        case "PostBody" | "AbandonPost":
            return LadderRow(time, "server", f"{kind} {action.get('upload')}", outward=True)
        case _:
            return LadderRow(time, "media", f"{kind} {action.get('media') or ''}".strip(), outward=True)


def frame_label(text: Json) -> tuple[str, bool]:
    """What a frame is about: its method, or what became of a request; and whether that is bad."""
    try:
        frame = cast("Json", json.loads(text)) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        frame = None
    if not isinstance(frame, dict):
        return "not JSON", True
    method = frame.get("method")
    if isinstance(method, str):
        return method.removeprefix("telnyx_rtc."), False
    error = frame.get("error")
    if isinstance(error, dict):
        return f"error {error.get('code')} {error.get('message') or ''}".strip(), True
    result = frame.get("result")
    about = result.get("method") or result.get("message") or "" if isinstance(result, dict) else ""
    return f"result {str(about).removeprefix('telnyx_rtc.')}".strip(), False


def _short(reason: str) -> str:
    """``TimerKey(timer=<Timer.KEEPALIVE: 6>, owner=None)`` as ``keepalive``."""
    return reason.partition("<Timer.")[2].partition(":")[0].lower().replace("_", " ") or "-"
