"""Connectivity checks as messages (RFC 8445 section 7): our requests, the far end's, the answers, and who controls."""

from collections import OrderedDict
from collections.abc import Callable
from random import Random
from typing import Final

from attrs import define, field, frozen

from telnyx_core.ice import stun
from telnyx_core.ice.candidate import CandidateType, Credentials, priority_of
from telnyx_core.ice.checklist import Pair
from telnyx_core.ice.generation import Generation, HeardCheck
from telnyx_core.ice.stun import Address, Attr, Kind, Message, Method
from telnyx_core.ice.transaction import fresh_id

MAX_SENT: Final = 1_024
"""Requests whose answer may still come: ten seconds of them at the fastest pacing."""
_KNOWN: Final = frozenset(
    each.value
    for each in (
        Attr.USERNAME,
        Attr.PRIORITY,
        Attr.USE_CANDIDATE,
        Attr.MAPPED_ADDRESS,
        Attr.XOR_MAPPED_ADDRESS,
        Attr.ERROR_CODE,
        Attr.UNKNOWN_ATTRIBUTES,
        Attr.REALM,
        Attr.NONCE,
    )
)


@frozen
class SentCheck:
    pair: Pair
    generation: Generation
    at: float
    controlling: bool


@define(eq=False)
class Checks:
    """The role is settled here, for the messages say it: ``on_role`` is called when it has changed."""

    rng: Random
    controlling: bool
    tie_breaker: int
    on_role: Callable[[], None]
    lite: bool = False
    """The far end is: it has no role to dispute."""
    sent: OrderedDict[bytes, SentCheck] = field(factory=OrderedDict[bytes, SentCheck])

    def take_role(self, *, controlling: bool) -> None:
        if controlling is not self.controlling:
            self.controlling = controlling
            self.on_role()

    # Ours

    def request(self, generation: Generation, remote: Credentials, pair: Pair, now: float) -> bytes:
        """The next check of this pair. It nominates the generation's nominee."""
        transaction_id = fresh_id(self.rng)
        role = Attr.ICE_CONTROLLING if self.controlling else Attr.ICE_CONTROLLED
        attributes = [
            (Attr.USERNAME, f"{remote.ufrag}:{generation.local.ufrag}".encode()),
            stun.number(role, self.tie_breaker, 8),
            stun.number(Attr.PRIORITY, priority_of(CandidateType.PEER_REFLEXIVE, pair.base.preference)),
        ]
        if self.controlling and generation.nominee(pair):
            attributes.append((Attr.USE_CANDIDATE, b""))
        self.sent[transaction_id] = SentCheck(pair, generation, now, self.controlling)
        if len(self.sent) > MAX_SENT:
            self.sent.popitem(last=False)
        generation.checklist.checked(pair, now)
        key = remote.password.encode()
        return stun.encode(Method.BINDING, Kind.REQUEST, transaction_id, attributes, key=key)

    def answered(self, message: Message, base: Address, source: Address) -> SentCheck | None:
        """The check that this answers, from where that went and signed; it is answered once."""
        sent = self.sent.get(message.transaction_id)
        if sent is None or sent.pair.way != (base, source) or sent.generation.remote is None:
            return None
        if not message.verify(sent.generation.remote.password.encode()) or message.unknown(_KNOWN):
            return None
        return self.sent.pop(message.transaction_id)

    def give_way(self, sent: SentCheck) -> None:
        """The far end has refused our role (RFC 8445 section 7.2.5.1)."""
        if sent.controlling is self.controlling:
            self.take_role(controlling=not sent.controlling)
            self.tie_breaker = self.rng.getrandbits(64)

    # The far end's

    def read(self, request: Message, base: Address, source: Address) -> HeardCheck | None:
        """A signed request; ``None``: it is to be refused as it stands. Our role may change by it."""
        priority = request.number(Attr.PRIORITY)
        if request.unknown(_KNOWN) or priority is None or not 0 < priority < 1 << 31:
            return None
        conflicts = self._conflicts(request)
        nominates = request.get(Attr.USE_CANDIDATE) is not None and not conflicts
        return HeardCheck(base, source, priority, nominates, conflicts)

    def answer(self, request: Message, check: HeardCheck | None, source: Address, local: Credentials) -> bytes:
        kind = Kind.ERROR
        if check is None and (unknown := request.unknown(_KNOWN)):
            attributes = [stun.error_code(420, "Unknown Attribute"), stun.unknown_attributes(unknown)]
        elif check is None:
            attributes = [stun.error_code(400, "Bad Request")]
        elif check.conflicts:
            attributes = [stun.error_code(487, "Role Conflict")]
        else:
            kind = Kind.SUCCESS
            attributes = [stun.xor_address(Attr.XOR_MAPPED_ADDRESS, source, request.transaction_id)]
        return stun.encode(Method.BINDING, kind, request.transaction_id, attributes, key=local.password.encode())

    def _conflicts(self, request: Message) -> bool:
        """RFC 8445 section 7.3.1.1: whether the far end is to change its role. If it is for us, that is done."""
        attribute = Attr.ICE_CONTROLLING if self.controlling else Attr.ICE_CONTROLLED
        theirs = request.number(attribute, 8)
        if theirs is None or self.lite:
            return False
        keeps = (self.tie_breaker >= theirs) == self.controlling
        if not keeps:
            self.take_role(controlling=not self.controlling)
        return keeps
