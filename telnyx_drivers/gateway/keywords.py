"""The options of a gateway as typed keywords: a copy of `GatewayOptions`. A test compares the two."""

from collections.abc import Callable, Mapping
from typing import TypedDict

from telnyx_core.gateway.faults import Fault
from telnyx_core.gateway.options import Assistant, CallPlan, Like, Limits, Quirks, Route
from telnyx_core.options import Codec


class GatewayKeywords(TypedDict, total=False):
    like: Like
    users: Mapping[str, str]
    tokens: Mapping[str, str]
    token_user: Callable[[str], str | None] | None
    respect_token_expiry: bool
    assistants: Mapping[str, Assistant]
    routes: Mapping[str, Route]
    plan: CallPlan
    registration: tuple[str, ...]
    push_states: tuple[tuple[float, str], ...]
    ping_interval: float | None
    reattach_window: float
    login_lasts: float | None
    hostname: str
    attach_limit: float
    region: str
    dc: str
    codecs: tuple[Codec, ...]
    quirks: Quirks
    faults: tuple[Fault, ...]
    limits: Limits
