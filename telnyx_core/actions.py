"""What the core orders the driver to do: plain data in the imperative.

A driver performs every action in the order given, without waiting in between, and ignores one for a handle it no
longer has. What each action is owed in return:

| action | owed | instead, when it fails |
|---|---|---|
| `OpenSocket` | `SocketOpened`, later one `SocketClosed` | `SocketRefused`, or `SocketClosed` with ``error`` |
| `CloseSocket` | `SocketClosed` | - (the core gives up after its own deadline and sends `AbandonSocket`) |
| `OpenSource` | `SourceOpened` | `SourceRefused` |
| `CreateOffer`, `CreateAnswer` | `LocalDescribed`, the last one complete | `NegotiationFailed` |
| `ApplyRemote` | `RemoteApplied` | `RemoteRefused` |
| `SendDigits` | `DigitsSent` | `DigitsRefused` |
| `TakeStats` | `StatsTaken` | nothing |
| `WriteReport`, `WriteRecording` | `UploadWritten` | `UploadWritten` without bodies |
| `PostBody` | `PostAnswered` | `PostFailed` (the core gives up after its own deadline and sends `AbandonPost`) |
| `AskToken` | `TokenProvided` | `TokenRefused` |
| everything else | nothing | - |

`PeerStateChanged`, `TransportStateChanged`, `CandidateFound`, `CandidateError`, `MediaHeard` and `DigitHeard` may come
for an open peer at any time.
"""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from attrs import field, frozen

from telnyx_core._reports.recording import RecordedPart
from telnyx_core._reports.segment import Segment
from telnyx_core._reports.timeline import Entry
from telnyx_core._wire.json_types import Json, JsonView
from telnyx_core.errors import Failure
from telnyx_core.events import Event
from telnyx_core.ids import CallId, MediaId, SocketId, Ticket, TokenRequest, UploadId
from telnyx_core.options import Codec, IceServer

DescriptionKind: TypeAlias = Literal["offer", "answer"]
ToneKind: TypeAlias = Literal["ringtone", "ringback"]
DigitsVia: TypeAlias = Literal["info", "rtp"]
"""How digits go: as a message to the server, or in the audio stream (RFC 4733)."""
DIGITS: Final = frozenset("0123456789*#ABCDabcd,wW")
"""The digits of a telephone, and the pauses ``,``, ``w`` and ``W``."""
FLASH: Final = frozenset("Ff")
"""The hook flash, which only the server can pass on."""
SHORTEST_DIGIT: Final = 0.04
LONGEST_DIGIT: Final = 8.0
"""Seconds. Shorter digits are not detected everywhere (ITU-T Q.24), and no menu needs longer ones."""
SHORTEST_GAP: Final = 0.02
LONGEST_GAP: Final = 8.0
QUIETEST_DIGIT: Final = -63
"""dBm0: RFC 4733 has six bits for it."""


@frozen
class OpenSocket:
    socket: SocketId
    url: str = field(repr=False)


@frozen
class SendText:
    """Send a text frame. It is left out if more than ``drop_if_backlog_over`` characters already wait to be sent."""

    socket: SocketId
    text: str = field(repr=False)
    drop_if_backlog_over: int | None = None


@frozen
class CloseSocket:
    """Close with the WebSocket closing handshake; `SocketClosed` is awaited."""

    socket: SocketId


@frozen
class AbandonSocket:
    """Drop the socket now, without a handshake: no further fact of this handle is taken in."""

    socket: SocketId


@frozen(kw_only=True)
class PeerConfig:
    """Everything a media engine must know to build one peer connection (MEDIA section 2)."""

    role: DescriptionKind
    ice_servers: tuple[IceServer, ...]
    force_relay: bool = False
    prefetch: bool = True
    trickle: bool = False
    send_audio: bool = True
    receive_audio: bool = True
    preferred_codecs: tuple[Codec, ...] = ()
    use_stereo: bool = False
    max_kbps: int | None = None
    """``b=AS`` bandwidth in kilobits per second, or ``None``."""
    muted: bool = False
    deaf: bool = False
    max_bit_rate: int | None = None
    """Most bits per second of the encoder; ``None``: no limit."""
    renews: MediaId | None = None
    """Renew this peer's path by an ICE restart (RFC 8445 section 2.4) instead of making another: its certificate, keys
    and packet streams live on, and so do its counters. It carries the call until the restarted one works; the new peer
    is ``connected`` then. Where the far end does not keep its certificate or codecs, the negotiation fails."""


@frozen
class PrepareMedia:
    """Calls may be placed or answered now: an engine may gather the next peer's candidates in advance.

    Ordered once for each registration if ``prefetchIceCandidates`` is on. No fact follows; only the set-up of the next
    call becomes faster. The engine releases what it prepared when it is closed.
    """

    ice_servers: tuple[IceServer, ...]
    force_relay: bool


@frozen
class OpenPeer:
    """Create a peer connection for a call; with ``prefetch`` start gathering at once."""

    media: MediaId
    call: CallId
    config: PeerConfig


@frozen
class OpenSource:
    """Open the audio source of the peer's call. ``source`` is a registered id or ``None`` for the default.

    If the peer has a source already, the new one replaces it; if the new one is refused, the old one stays.
    """

    media: MediaId
    source: str | None = None
    constraints: Mapping[str, Json] = field(factory=dict[str, Json])


@frozen
class CreateOffer:
    media: MediaId


@frozen
class CreateAnswer:
    media: MediaId


@frozen
class ApplyRemote:
    media: MediaId
    kind: DescriptionKind
    sdp: str = field(repr=False)


@frozen
class AddCandidate:
    """A remote candidate; an empty string is the end of candidates."""

    media: MediaId
    candidate: str
    sdp_mid: str | None = None
    sdp_m_line_index: int = 0


@frozen
class UseMedia:
    """From now on this peer is the one that the call's audio goes through (make before break)."""

    media: MediaId


@frozen
class SetMuted:
    media: MediaId
    muted: bool


@frozen
class SetDeaf:
    media: MediaId
    deaf: bool


@frozen
class SetMaxBitRate:
    """Change `PeerConfig.max_bit_rate` from now on. A codec with a fixed rate ignores it."""

    media: MediaId
    bits_per_second: int | None


@frozen
class DigitTone:
    """How digits sound in the audio stream. Raises `ValueError` for what cannot be sent."""

    duration: float = 0.1
    """Seconds that a key is down."""
    gap: float = 0.05
    """Seconds after it."""
    volume: int = -10
    """dBm0; telephones send about -10."""

    def __attrs_post_init__(self) -> None:
        if not SHORTEST_DIGIT <= self.duration <= LONGEST_DIGIT:
            raise ValueError(f"a digit takes {SHORTEST_DIGIT} to {LONGEST_DIGIT:g} s, not {self.duration}")
        if not SHORTEST_GAP <= self.gap <= LONGEST_GAP:
            raise ValueError(f"the gap after a digit takes {SHORTEST_GAP} to {LONGEST_GAP:g} s, not {self.gap}")
        if self.volume not in range(QUIETEST_DIGIT, 1):
            raise ValueError(f"the volume of a digit is {QUIETEST_DIGIT} to 0 dBm0, whole, not {self.volume}")


DEFAULT_TONE: Final = DigitTone()


@frozen
class SendDigits:
    """Send ``0-9 * # A-D`` in the audio stream (RFC 4733), with pauses: ``w`` half a second, ``W`` one, ``,`` two."""

    media: MediaId
    digits: str
    tone: DigitTone = DEFAULT_TONE


@frozen
class TakeStats:
    """Read the peer's counters now; `StatsTaken` follows, or nothing where that fails."""

    media: MediaId


@frozen
class ClosePeer:
    """Close the peer. The call's source is released with its last peer."""

    media: MediaId


@frozen
class StartTone:
    call: CallId
    tone: ToneKind


@frozen
class StopTone:
    call: CallId
    tone: ToneKind


@frozen
class Done:
    """The ticket's command was carried out. ``value`` is the server's result object, possibly empty."""

    value: JsonView = field(factory=dict[str, Json])


@frozen
class Failed:
    failure: Failure


Outcome: TypeAlias = Done | Failed


@frozen
class Settle:
    """The one outcome of a command that returned this ticket."""

    ticket: Ticket
    outcome: Outcome


@frozen
class WriteReport:
    """Write a part of a call's report as JSON: what `Segment.bodies` gives, in steps that leave room for the audio.

    ``number`` is that of the first body, and ``limit`` the most bytes of one.
    """

    upload: UploadId
    segment: Segment = field(repr=False)
    number: int
    limit: int


@frozen
class PostBody:
    """Send an HTTP POST: over verified TLS where the URL is ``https``, no redirection followed, no answer's body read.

    The core bounds the time, repeats it, and counts what fails. None of that affects calls.
    """

    upload: UploadId
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@frozen
class AbandonPost:
    """Break this `PostBody`, `WriteReport` or `WriteRecording` off: nothing more is said of it."""

    upload: UploadId


@frozen
class GiveUpUpload:
    """A part of this call's report or recording is lost, which the driver logs: no application could mend it."""

    call: CallId
    what: Literal["report", "recording"]
    reason: str


RecordingMode: TypeAlias = Literal["on", "held", "off", "dropped"]


@frozen
class RecordCall:
    """Record both directions of a call for the platform (``enableCallRecording``), from ``"on"`` to ``"off"``.

    ``"held"``: what we send is recorded as silence. After ``"off"`` what was recorded is kept for one last
    `WriteRecording` of each track, and after ``"dropped"`` nothing is. Where there is no audio to record,
    `RecordingFault` says so.
    """

    call: CallId
    mode: RecordingMode


@frozen
class WriteRecording:
    """Write what a track holds by now as JSON, and hold it no longer: what `RecordedPart` describes."""

    upload: UploadId
    part: RecordedPart


@frozen
class AskToken:
    """Ask the application for a login token of the same user, as it promised (`Session.provide_tokens`).

    The driver bounds the time. One request is under way at a time.
    """

    request: TokenRequest


@frozen
class WriteDebug:
    """Write the timeline of a peer into a debug file. ``at`` is epoch seconds."""

    report: str
    """The id of the peer's debug report."""
    at: float
    entries: tuple[Entry, ...] = field(repr=False)


@frozen
class Remember:
    """Values worth keeping for a later process; the driver's store, if any, writes them."""

    values: JsonView = field(repr=False)


@frozen
class Notify:
    """Tell the application. Part of the same queue, so that what it reports has been ordered before it."""

    event: Event


SocketAction: TypeAlias = OpenSocket | SendText | CloseSocket | AbandonSocket
MediaAction: TypeAlias = (
    OpenPeer
    | OpenSource
    | CreateOffer
    | CreateAnswer
    | ApplyRemote
    | AddCandidate
    | UseMedia
    | SetMuted
    | SetDeaf
    | SetMaxBitRate
    | SendDigits
    | TakeStats
    | ClosePeer
)
ToneAction: TypeAlias = StartTone | StopTone
EngineAction: TypeAlias = MediaAction | ToneAction | PrepareMedia
UploadAction: TypeAlias = WriteReport | RecordCall | WriteRecording | PostBody | AbandonPost | GiveUpUpload
Action: TypeAlias = SocketAction | EngineAction | Settle | AskToken | UploadAction | WriteDebug | Remember | Notify
