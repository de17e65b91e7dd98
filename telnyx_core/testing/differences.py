"""Compare the frames of two clients: a frame of this client with the recorded frame in its place.

Every member is compared, except for two tables: `VOLATILE` names members that differ from one run to the next,
`DELIBERATE` what this client does differently from the published JS SDK, each with the rule that requires it.
"""

import json
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Final, Literal, TypeAlias

from attrs import frozen

from telnyx_core._wire.json_types import Json, JsonObject

Side: TypeAlias = Literal["recorded", "ours", "both"]
"""Who says it: the recorded client alone, ours alone, or both, but each in its own words."""


@frozen
class Volatile:
    """Members that are not compared. ``path`` is a pattern, as of a shell; so are those below."""

    path: str
    why: str


@frozen
class Deliberate:
    """A difference from the recorded client that is meant. Without ``path`` it is a frame that ours says alone."""

    frame: str
    """The method, or ``ack`` and the method, of `title`."""
    path: str
    side: Side
    rule: str
    why: str


VOLATILE: Final = (
    Volatile("params.item.id", "each client makes the ids of what it says to an assistant"),
    Volatile("params.User-Agent*", "names the client and its version (SIG-116, CALL-209)"),
)
"""Members that both clients must send, each with its own value.

What looks volatile and is not here is compared: request ids are mapped, calls have the recorded ids, and the engine
of a replay describes itself in the recorded words, so that a frame with the wrong id or a stale description is noticed.
"""

NOTHING: Final = "(nothing)"
_CALL: Final = "telnyx_rtc.*"
_DIALOG: Final = "params.dialogParams."
_NOBODYS_BUSINESS: Final = (
    "iceServers",
    "debug",
    "debugOutput",
    "forceRelayCandidate",
    "keepConnectionAliveOnSocketClose",
    "mutedMicOnStart",
    "prefetchIceCandidates",
    "micLabel",
    "camLabel",
    "ringtoneFile",
    "ringbackFile",
    "receiveOnlyAudio",
    "recoveredCallId",
    "wasHeldBeforeRecovery",
)
DELIBERATE: Final = (
    *(
        Deliberate(_CALL, f"{_DIALOG}{name}*", "recorded", "CALL-216", "the server is told a closed list of members")
        for name in _NOBODYS_BUSINESS
    ),
    *(
        Deliberate(_CALL, f"{_DIALOG}{name}", "ours", "SIG-106", "the same members in every message of every call")
        for name in ("video", "trickleIce", "mediaSettings.*")
    ),
    Deliberate(_CALL, f"{_DIALOG}custom_headers", "recorded", "CALL-216", "an empty list of headers is left out"),
    *(
        Deliberate(f"telnyx_rtc.{method}", f"{_DIALOG}*", "recorded", "CALL-217", "a candidate names its call, no more")
        for method in ("candidate", "endOfCandidates")
    ),
    Deliberate("anonymous_login", "params.userVariables", "ours", "SIG-120", "said also when there are none"),
    Deliberate("*", "params.*userVariables.*", "both", "PS-025", "a number goes as text, or it would vanish"),
    Deliberate("telnyx_rtc.ping", "", "ours", "SIG-458", "a silent server is soon asked whether it is there"),
    Deliberate("ack telnyx_rtc.info", "", "ours", "SIG-062", "a message with an id is acknowledged"),
    Deliberate("ack telnyx_rtc.endOfCandidates", "", "ours", "SIG-062", "so is the end of the far end's candidates"),
)
"""True of any session."""

REATTACHED: Final = tuple(
    Deliberate(frame, f"{_DIALOG}{name}", "both", "SIG-341", "a call of ours stays one when the server attaches it")
    for frame in ("telnyx_rtc.attach", "telnyx_rtc.bye", "telnyx_rtc.modify", "telnyx_rtc.info")
    for name in ("attach", "destination_number", "caller_id_*", "remote_caller_id_*")
)
"""Further differences where an outbound call is attached: the recorded client then treats it as an inbound one."""

ODD_FRAMES: Final = (
    Deliberate("ack telnyx_rtc.bye", "", "ours", "SIG-062", "an end that concerns no call is acknowledged"),
    Deliberate("ack telnyx_rtc.invite", "", "ours", "CALL-342", "an invite without a call is acknowledged"),
    *(
        Deliberate(f"telnyx_rtc.{method}", "voice_sdk_id", "ours", "SIG-057", "the newest token that any frame brought")
        for method in ("gatewayState", "ping")
    ),
)
"""Further differences where the server's frames lack required members."""

OWN_PAST: Final = (
    Deliberate("telnyx_rtc.bye", "params.cause*", "both", "PS-027", "who was answered is never told that we are busy"),
    Deliberate("telnyx_rtc.modify", "", "ours", "PS-009", "a hold that held nothing is asked again"),
    Deliberate("telnyx_rtc.*", f"{_DIALOG}custom_headers*", "ours", "PS-024", "a header at the top level is a header"),
)
"""Further differences where the recorded client is an early version of this one, of the first tests with the server."""

BARE_SOCKET: Final = tuple(
    Deliberate(frame, "", "ours", "PS-002", "the second login was made by hand, and no more was said")
    for frame in ("telnyx_rtc.gatewayState", "telnyx_rtc.attach", "ack telnyx_rtc.attach")
)
"""Further differences where a plain WebSocket without a client made the recording."""


@frozen
class Difference:
    path: str
    recorded: str
    ours: str

    def __str__(self) -> str:
        return f"  {self.path or 'the frame'}\n    recorded: {self.recorded}\n    ours:     {self.ours}"


def title(frame: JsonObject) -> str:
    """What kind of frame it is: its method, or ``ack`` and the method that it acknowledges."""
    method, result = frame.get("method"), frame.get("result")
    if isinstance(method, str):
        return method
    acknowledged = result.get("method") if isinstance(result, dict) else None
    return f"ack {acknowledged}" if isinstance(acknowledged, str) else "reply"


def meant_alone(frame: JsonObject, deliberate: Iterable[Deliberate]) -> Deliberate | None:
    """The reason why only our client says such a frame at all."""
    name = title(frame)
    return next((entry for entry in deliberate if not entry.path and fnmatchcase(name, entry.frame)), None)


def differences(
    recorded: JsonObject, ours: JsonObject, deliberate: Iterable[Deliberate] = DELIBERATE
) -> tuple[list[Difference], set[Deliberate]]:
    """The unintended differences between two frames, and the deliberate ones that were met."""
    name = title(ours)
    theirs, own = dict(_leaves(recorded)), dict(_leaves(ours))
    found: list[Difference] = []
    met: set[Deliberate] = set()
    for path in sorted(theirs.keys() | own.keys()):
        if theirs.get(path, NOTHING) == own.get(path, NOTHING):
            continue
        side: Side = "ours" if path not in theirs else "recorded" if path not in own else "both"
        if side == "both" and any(fnmatchcase(path, entry.path) for entry in VOLATILE):
            continue
        reason = next(
            (
                entry
                for entry in deliberate
                if entry.path
                and entry.side == side
                and fnmatchcase(name, entry.frame)
                and fnmatchcase(path, entry.path)
            ),
            None,
        )
        if reason is None:
            found.append(Difference(path, theirs.get(path, NOTHING), own.get(path, NOTHING)))
        else:
            met.add(reason)
    return found, met


def _leaves(value: Json, path: str = "") -> Iterator[tuple[str, str]]:
    """Every member that holds no others, by its path, as JSON: that tells ``1`` from ``true``."""
    members: Iterable[tuple[str, Json]] = ()
    if isinstance(value, dict):
        members = value.items()
    elif isinstance(value, list):
        members = ((str(index), item) for index, item in enumerate(value))
    empty = True
    for name, member in members:
        empty = False
        yield from _leaves(member, f"{path}.{name}" if path else name)
    if empty:
        yield path, json.dumps(value, ensure_ascii=False)
