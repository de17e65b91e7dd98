"""Why a call was never answered, in words."""

from collections.abc import Mapping
from typing import Final

from attrs import frozen

from telnyx_drivers._tools.report.call_timeline import CallTimeline


@frozen
class Verdict:
    title: str
    text: str
    cause: str
    """As the server told it."""


_REASONS: Final[Mapping[str, tuple[str, str]]] = {
    "USER_BUSY": ("Busy", "The far end is in another call, or declined as busy."),
    "NO_ANSWER": ("Not answered", "It rang, and the call was given up before anybody answered."),
    "NO_USER_RESPONSE": ("Not reached", "The far end did not react at all."),
    "ALLOTTED_TIMEOUT": ("Not answered", "The time that a call may ring was over."),
    "CALL_REJECTED": ("Declined", "The far end refused the call."),
    "UNALLOCATED_NUMBER": ("No such number", "The network knows no such number."),
    "ORIGINATOR_CANCEL": ("Given up by the caller", "The caller hung up before the answer."),
    "NORMAL_CLEARING": ("Ended before the answer", "One side hung up while it rang."),
    "INCOMPATIBLE_DESTINATION": ("No codec in common", "The two ends have no way in common to send audio."),
    "NORMAL_TEMPORARY_FAILURE": ("Failed for now", "The network could not place the call; later it may."),
    "RECOVERY_ON_TIMER_EXPIRE": ("No reply in time", "A server on the way did not answer in time."),
    "INVALID_GATEWAY": ("No way to that number", "The account has no route that leads there."),
}


def verdict_of(call: CallTimeline) -> Verdict | None:
    """``None`` for a call that was answered."""
    if call.active_at is not None:
        return None
    title, text = _REASONS.get(call.cause or "", ("Never answered", ""))
    errors = [note for note in call.notes if note.level == "error"]
    if not text and errors:
        text = "What went wrong is told below."
    return Verdict(title, text, call.ended_by or call.cause or "")
