"""A gateway's options: who may log in, where numbers lead, how fast calls proceed, and how it imitates the platform."""

import math
from collections.abc import Callable, Mapping
from typing import Final, Literal, TypeAlias

from attrs import field, frozen

from telnyx_core._wire.json_types import JsonView
from telnyx_core.errors import OptionsError
from telnyx_core.gateway.faults import Fault
from telnyx_core.options import Codec

FarEnd: TypeAlias = Literal["echo", "tone", "silence"]
"""What a client hears once its call is answered by the gateway itself: its own voice, 1 kHz, or nothing."""

Like: TypeAlias = Literal["mod_verto", "telnyx"]
"""Which server a gateway is like. Both are as strict as the public FreeSWITCH fork that the platform is built on.

``mod_verto`` is that fork with no more in front of it than a client needs to register: there is no ``ringing``, no
trickle, custom headers stand at the top level of ``params``, and a bye names its cause and nothing else. ``telnyx`` has
what production puts in front, too: ``ringing``, trickle, ``custom_headers``, the platform's call ids, SIP codes.
"""

Route: TypeAlias = Literal["echo", "tone", "silence", "early", "busy", "reject", "ring", "assistant"]
"""Where a dialled number leads. ``early`` is an echo with ringback as early media; ``ring`` is never answered."""

ROUTES: Final[Mapping[str, Route]] = {
    "echo": "echo",
    "tone": "tone",
    "silence": "silence",
    "early": "early",
    "busy": "busy",
    "reject": "reject",
    "ring": "ring",
    "assistant": "assistant",
}


def _check_seconds(seconds: float | None) -> None:
    if seconds is not None and not 0 <= seconds < math.inf:
        raise OptionsError(f"{seconds} is no time to wait")


@frozen(kw_only=True)
class Quirks:
    """Ways of the platform's server that a client must live with; the defaults are what was observed (SRV rules)."""

    no_mid: bool = True
    """Invites and offers in the middle of a call carry no ``a=mid``, and nothing carries ``a=group``; answers, and
    offers after a re-login, repeat the client's."""
    one_codec: bool = True
    """The offer of a re-attach has the one codec of the call, and telephone-event only if the client's first offer had
    it."""
    no_telephone_event: bool = True
    """An inbound invite offers no telephone-event."""
    plain_profile: bool = True
    """Offers say ``RTP/SAVPF``."""
    double_candidates: bool = True
    """Each candidate is listed for components 1 and 2."""
    attach_before_ready: bool = True
    """After a re-login ``attach`` comes before ``clientReady``; False: after it."""
    ready_lists_session: bool = False
    """``reattached_sessions`` repeats the session id once per call, not the call ids, which the platform lists."""
    accept_first: bool = True
    """A call that will fail is accepted and then ended by a bye; False: its invite is refused."""
    answer_repeats_sdp: bool = False
    """``answer`` carries the SDP even after ``media`` delivered it, which the platform does not do."""
    trickle: bool = True
    """False: ``candidate`` and ``endOfCandidates`` are unknown methods."""
    trickle_out: bool = False
    """A client that trickles is told the gateway's candidates one by one."""
    ping_serno: bool = True
    """Server pings carry a ``serno``."""
    echo_ping: bool = False
    """A client's ping is answered by its own frame instead of a result."""
    silent_on_ping: bool = False
    """A client's ping is not answered at all."""
    silent_when_lost: bool = True
    """While a client's socket is down nothing goes to or comes from its calls."""
    ringing_survives_loss: bool = False
    """An unanswered call outlives its socket and is attached; the platform ends it."""
    established_by_media: bool = True
    """A call counts as answered once its media has been connected, not before. Until then it does not survive its
    socket, ``hold`` is answered with "active", and ``updateMedia`` or ``attach`` ends it."""
    private_candidates: bool = True
    """The gateway sends to private and loopback addresses. The platform does not: a client that offers no
    other one has its call ended with 88, or its answer refused with "CODEC ERROR"."""


@frozen(kw_only=True)
class Limits:
    """Bounds on what clients can make the gateway hold."""

    sockets: int = 1_000
    """Open at once."""
    calls: int = 1_000
    """Legs over all clients; media for more does not fit in one process."""
    candidates: int = 64
    """Waiting for the remote description, per peer."""
    channels: int = 256
    """Event subscriptions, per session."""
    speed_test_blocks: int = 16_384
    """16 MB of speed test, which is sent back block by block."""


@frozen
class Says:
    """A step of an assistant's script: it says this, at its `Assistant.pace`."""

    text: str
    after: float = 0.0
    """Seconds after the step before it, or after the greeting, as with the other steps."""


@frozen
class Hears:
    """It understands that the caller says this. What it was saying itself is interrupted."""

    text: str
    after: float = 0.0


@frozen
class Calls:
    """It calls this function of the client's; it says what comes back, as JSON."""

    name: str
    arguments: JsonView
    after: float = 0.0


Scripted: TypeAlias = Says | Hears | Calls


@frozen(kw_only=True)
class Assistant:
    """An AI assistant that hears text and lets the caller hear its own voice."""

    greeting: str = ""
    """Said, as text, when the call is answered."""
    replies: Mapping[str, str] = field(factory=dict[str, str])
    """What it says to which words of the user (part of the text, any case); other text is repeated."""
    tools: Mapping[str, tuple[str, JsonView]] = field(factory=dict[str, tuple[str, JsonView]])
    """Which words make it call which function with which arguments."""
    widget_settings: JsonView | None = None
    """Sent when its call is answered."""
    pace: float = 0.0
    """Seconds from one word to the next of what it says; 0: all of it at once."""
    script: tuple[Scripted, ...] = ()
    """What happens in each call by itself, step by step."""

    def __attrs_post_init__(self) -> None:
        for seconds in (self.pace, *(step.after for step in self.script)):
            _check_seconds(seconds)


@frozen(kw_only=True)
class CallPlan:
    """How fast calls proceed, in seconds; zero is at once."""

    ringing_delay: float = 0.0
    """From the invite to the ringing, or to the bye of a number that is busy, rejects or does not exist."""
    early_delay: float = 0.0
    """From the ringing to early media, where there is any."""
    answer_delay: float = 0.0
    """From there to the answer."""
    ring_timeout: float | None = 60.0
    """How long a call may ring before it ends with ``NO_ANSWER``."""

    def __attrs_post_init__(self) -> None:
        for seconds in (self.ringing_delay, self.early_delay, self.answer_delay, self.ring_timeout):
            _check_seconds(seconds)


@frozen(kw_only=True)
class GatewayOptions:
    """Everything a gateway needs to know; see `Quirks` for how it behaves and `Fault` for how it fails."""

    like: Like = "telnyx"
    users: Mapping[str, str] = field(factory=dict[str, str], repr=False)
    """Name to password. A dialled name rings every socket of that user."""
    tokens: Mapping[str, str] = field(factory=dict[str, str], repr=False)
    """Login token to user name."""
    token_user: Callable[[str], str | None] | None = field(default=None, repr=False)
    """Asked for tokens that the table does not know: the user's name, or ``None``. Must be pure."""
    respect_token_expiry: bool = False
    """Refuse a JWT whose ``exp`` has passed; its signature is not looked at."""
    assistants: Mapping[str, Assistant] = field(factory=dict[str, Assistant])
    """Ids that `anonymous_login` may name, and what stands behind each."""
    routes: Mapping[str, Route] = ROUTES
    """Dialled number to what answers; numbers not listed are users, or do not exist."""
    plan: CallPlan = field(factory=CallPlan)
    registration: tuple[str, ...] = ("REGED",)
    """The gateway states that a socket's successive ``gatewayState`` requests are told; the last one stays."""
    push_states: tuple[tuple[float, str], ...] = ()
    """(seconds after ``clientReady``, state): pushed by the gateway of its own accord."""
    ping_interval: float | None = 30.0
    """Seconds without inbound traffic before the gateway pings; ``None``: never."""
    reattach_window: float = 120.0
    """Seconds for which answered calls wait for their client after its socket is lost."""
    login_lasts: float | None = None
    """Seconds after which a login has ended: told as ``auth-expires`` with the login and in pongs and pings, and then
    the socket is closed with 1000. ``None``: never."""
    hostname: str = "gateway"
    """Names the node in the ``variables`` of calls."""
    attach_limit: float = 30.0
    """Seconds for which an ``attach`` may stay unanswered."""
    region: str = "us-central"
    dc: str = "ch1"
    codecs: tuple[Codec, ...] = ()
    """Preferred codecs of the gateway's peers; none: the engine's own order."""
    quirks: Quirks = field(factory=Quirks)
    faults: tuple[Fault, ...] = ()
    limits: Limits = field(factory=Limits)

    @property
    def trickle(self) -> bool:
        """Whether a client may send its candidates one by one; the fork knows no such message."""
        return self.quirks.trickle and self.like == "telnyx"

    def __attrs_post_init__(self) -> None:
        if not self.registration:
            raise OptionsError("registration must name at least one gateway state")
        for seconds in (self.ping_interval, self.reattach_window, self.login_lasts, self.attach_limit):
            _check_seconds(seconds)
        for delay, _ in self.push_states:
            _check_seconds(delay)
        if self.ping_interval == 0:
            raise OptionsError("a ping interval of nothing would never end")
