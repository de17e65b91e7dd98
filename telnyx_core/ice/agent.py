"""An ICE agent for one component (RFC 8445): candidates in, checks out, and one pair that is used.

The agent has no clock, no sockets and no dice. Datagrams, facts and the time go in; `Agent.next_action` gives what is
to be sent and what has happened, in order; `Agent.next_timeout` says when to call `Agent.handle_timeout`.

Three decisions are its own, each within what the standard allows:

- *One pair.* The first pair that answers is selected, nominated again and again until the path is confirmed, and no
  other one is checked while it works: a far end that follows the last check that it heard stays with it.
- *The pair of the far end first.* A check from the far end shows where it listens, so other pairs wait for that one for
  a moment.
- *Silence to strangers.* What carries no valid signature is dropped, not answered with an error.
"""

from collections import deque
from collections.abc import Iterable
from random import Random
from typing import Final

from telnyx_core.ice import stun
from telnyx_core.ice.actions import (
    Action,
    CandidateGathered,
    DataReceived,
    Dropped,
    GatheringFinished,
    IceError,
    IceState,
    PairSelected,
    RestartFailed,
    StateChanged,
    Transmit,
)
from telnyx_core.ice.candidate import Candidate, CandidateType, Credentials, local_candidate
from telnyx_core.ice.checklist import Base, Pair, PairState
from telnyx_core.ice.checks import Checks
from telnyx_core.ice.consent import Consent
from telnyx_core.ice.gathering import Gatherer, Server
from telnyx_core.ice.generation import MAX_EARLY, Generation, HeardCheck, Search
from telnyx_core.ice.stun import Address, Attr, Kind, Message, Method, StunError
from telnyx_core.ice.transaction import Timing

MAX_HOSTS: Final = 10
"""Local addresses; each costs a check towards every remote candidate."""
_AGAIN: Final = 0.05
"""Seconds. A check of the far end does not trigger another of ours sooner."""
_QUIET: Final = 1.0
"""Seconds without anything from the far end, after which a check from a new address puts the old one in doubt."""


class Agent:
    """One component's agent. Times are seconds of any clock that only goes forward.

    ``rng`` makes passwords and transaction ids: give it `random.SystemRandom`, or a seeded one in a simulation. With
    ``relay_only`` nothing is sent to anyone but the TURN servers, and no address but the relayed one is told.
    """

    def __init__(
        self,
        *,
        controlling: bool,
        rng: Random,
        timing: Timing | None = None,
        relay_only: bool = False,
        tie_breaker: int | None = None,
    ) -> None:
        self.timing = timing or Timing()
        self.state = IceState.NEW
        self.relay_only = relay_only
        self._rng = rng
        tie_breaker = rng.getrandbits(64) if tie_breaker is None else tie_breaker
        self._checks = Checks(rng, controlling, tie_breaker, self._rank)
        self._actions: deque[Action] = deque()
        self._candidates: list[tuple[Candidate, Address]] = []
        """Ours, each with its base."""
        self._bases: dict[Address, Base] = {}
        self._hosts_added = 0
        self._current = self._generation()
        self._previous: Generation | None = None
        self._previous_until: float | None = None
        self._path: Generation | None = None
        """The generation whose pair is in use."""
        self._consent: Consent | None = None
        self._confirmed = False
        self._more = True
        self._told_finished = False
        self._gatherer = Gatherer(
            self.timing, rng, not relay_only, self._actions.append, self._found, self._received, self._relay_gone
        )

    # What is known

    @property
    def controlling(self) -> bool:
        """Whether this end chooses the pair (RFC 8445 section 6.1.1)."""
        return self._checks.controlling

    @property
    def local_credentials(self) -> Credentials:
        """What the description for the far end holds: ``ice-ufrag`` and ``ice-pwd``."""
        return self._current.local

    @property
    def local_candidates(self) -> tuple[Candidate, ...]:
        """Those that have been found, in the order in which they were; see also `in_server_order`."""
        return tuple(candidate for candidate, _ in self._candidates)

    @property
    def gathering_finished(self) -> bool:
        """True: no more candidates come."""
        return not self._more and self._gatherer.finished

    @property
    def selected(self) -> tuple[Candidate, Candidate] | None:
        """The local and the remote candidate in use. The local one is as the far end sees it, if it was gathered."""
        pair = None if self._path is None else self._path.pair
        return None if pair is None else (self._local_of(pair), pair.remote)

    @property
    def path(self) -> tuple[Address, Address] | None:
        """The base and the remote address of the pair in use. A base that is no socket of this host is the relay's."""
        pair = None if self._path is None else self._path.pair
        return None if pair is None else pair.way

    @property
    def relayed(self) -> bool:
        """Whether a TURN server holds an allocation for this agent, also one that is being given back."""
        return self._gatherer.held

    @property
    def remote_candidates(self) -> tuple[Candidate, ...]:
        """Those of the far end that are known, told and learned."""
        return tuple(self._current.remotes.values())

    @property
    def restarting(self) -> bool:
        """Whether the pair of an earlier generation is in use while one of the new is looked for."""
        return self._path is not None and self._path is not self._current

    @property
    def round_trip(self) -> float | None:
        """Seconds, of the last check that was answered on the selected pair."""
        return None if self._consent is None else self._consent.round_trip

    @property
    def checks(self) -> tuple[int, int]:
        """Requests sent on the selected pair, consent's included, and answers to them: ``requestsSent`` and
        ``responsesReceived`` of the W3C's ``RTCIceCandidatePairStats``, where each request counts that is sent."""
        pair = None if self._path is None else self._path.pair
        return (0, 0) if pair is None else (pair.requests, pair.answers)

    # What the caller asks

    def gather(
        self,
        hosts: Iterable[Address],
        servers: Iterable[Server],
        now: float,
        *,
        more: bool = False,
        outlets: Iterable[Address] = (),
    ) -> None:
        """Use these sockets, each named by the address that it is bound to, and ask these servers.

        The first address is preferred. ``outlets`` are sockets from which nothing but TURN servers is asked, and they
        from there alone if there is one: bound to no address, such a socket goes by the routes of this host. ``more``:
        another call follows, for instance when names have been resolved; until then gathering is not finished.
        """
        self._open()
        self._more, self._told_finished = more, False
        for host in hosts:
            if host in self._gatherer.hosts or len(self._gatherer.hosts) >= MAX_HOSTS:
                continue
            if not self.relay_only:
                preference = 65_535 - self._hosts_added
                candidate = local_candidate(CandidateType.HOST, host, host, preference)
                self._add_base(Base(candidate, preference), now)
                self._tell(candidate, host)
            self._hosts_added += 1
            self._gatherer.add_host(host, now)
        for outlet in outlets:
            if outlet not in self._gatherer.outlets and len(self._gatherer.outlets) < MAX_HOSTS:
                self._gatherer.outlets.append(outlet)
        self._gatherer.add_servers(tuple(servers), now)
        self.handle_timeout(now)

    def end_gathering(self, now: float) -> None:
        """Ask no server any more for what it has not given yet."""
        self._more = False
        self._gatherer.stop(now)
        self._tell_finished()

    def ask_again(self, now: float) -> None:
        """Ask the servers whether what they have given still holds. What does not is told by another
        `CandidateGathered`, or by `ServerFailed`."""
        self._gatherer.ask_again(now)

    def remove_host(self, host: Address, now: float) -> None:
        """The socket, or its address, is gone. What used it ends; where another pair exists, it is looked for."""
        if host in self._gatherer.hosts:
            self._gatherer.remove_host(host, now)
            self._drop_base(host, now)
            self.handle_timeout(now)

    def set_remote(self, credentials: Credentials, now: float, *, lite: bool = False) -> None:
        """The far end's credentials, from its description: checks begin. Raises `IceError` when others are in use.

        ``lite``: it has ``a=ice-lite``; then this agent is controlling (RFC 8445 section 6.1.1).
        """
        self._open()
        generation = self._current
        if generation.remote is not None:
            if generation.remote != credentials:
                raise IceError("other credentials begin another generation: restart first")
            return
        generation.remote, generation.news_at = credentials, now
        self._checks.lite = lite
        if lite:
            self.take_role(controlling=True)
        if self._path is None:
            self._set_state(IceState.CHECKING)
        early, generation.early = generation.early, []
        for each in early:
            self._learn(generation, each, now)
        self.handle_timeout(now)

    def take_role(self, *, controlling: bool) -> None:
        """Before the checks begin, where the role was not known when the agent was made."""
        self._checks.take_role(controlling=controlling)

    def add_remote_candidate(self, candidate: Candidate, now: float) -> bool:
        """One of the far end's, from its description or trickled. False: passed over, because it is one too many, of
        another component, or TCP."""
        self._open()
        generation = self._current
        if candidate.component != 1 or candidate.transport != "udp" or candidate.address.port == 0:
            return False
        if not generation.ended:
            generation.news_at = now
        if candidate.address not in generation.remotes and generation.full:
            return False
        if generation.add_remote(candidate):
            for base in self._bases.values():
                self._pair_up(generation, base, candidate, now)
        self.handle_timeout(now)
        return True

    def end_of_remote_candidates(self, now: float) -> None:
        """``a=end-of-candidates`` (RFC 8838): from the last news on, the patience of the checks is counted.

        The agent does not fail at once when no pair is left: the far end may show itself by a check (RFC 8863).
        """
        self._current.ended = True
        self.handle_timeout(now)

    def confirm(self, now: float) -> None:
        """The far end is known to use the selected pair: DTLS is up. Nominations go on for a while, then stop."""
        self._confirmed = True
        if self._consent is not None and self._consent.nominate_until is None:
            self._consent.nominate_until = now + self.timing.nominate_after

    def restart(self, now: float) -> Credentials:
        """Begin another generation (RFC 8445 section 2.4), and return our new credentials for its description.

        A pair in use stays in use until one of the new generation works. The far end's new credentials and candidates
        are for `set_remote` and `add_remote_candidate`, as at first.
        """
        self._open()
        preferred = None
        if self._path is not None:
            self._previous, self._previous_until = self._path, None
            pair = self._path.pair
            preferred = pair.way if pair is not None and self.state is IceState.CONNECTED else None
        else:
            self._previous = None
            self._set_state(IceState.NEW)
        self._current.search = None
        self._current = self._generation()
        self._current.preferred = preferred
        return self._current.local

    def abandon_restart(self, now: float) -> None:
        """The far end has refused it: the generation in use is the current one again. Raises `IceError` if none is."""
        if not self.restarting or self._path is None:
            raise IceError("no restart is under way")
        self._current, self._previous = self._path, None
        self.handle_timeout(now)

    def reselect(self, now: float) -> None:
        """Look for a pair of a higher priority than the selected one, and move to the first that answers.

        Raises `IceError` where that is not for this end to do, or no pair is selected. A far end that follows the last
        check may be drawn to an address that does not work: ask only where something is to be gained.
        """
        if not self.controlling or self._path is not self._current:
            raise IceError("only a controlling agent with a selected pair moves")
        self._current.look(Search.BETTER, now)
        self.handle_timeout(now)

    def send(self, data: bytes, now: float) -> bool:
        """Send a datagram on the selected pair; false, and nothing is sent, without one or without consent."""
        pair = None if self._path is None else self._path.pair
        if pair is None or self._consent is None or now >= self._consent.expires_at:
            return False
        self._transmit(pair.base, pair.remote.address, data, now)
        return True

    def close(self, now: float) -> None:
        """Give the relay back, and end. Until `relayed` is false the server has not confirmed it: so long datagrams and
        deadlines are still of use.
        """
        if self.state is not IceState.CLOSED:
            self._gatherer.close(now)
            self._forget_path()
            self._bases.clear()
            self._checks.sent.clear()
            self._set_state(IceState.CLOSED)

    # What happens

    def receive(self, data: bytes, base: Address, source: Address, now: float) -> None:
        """A datagram that has come to the socket bound to ``base``. Anything may be in it."""
        is_stun = bool(data) and data[0] < 4
        if is_stun and self._gatherer.answered(data, base, source, now):
            self._tell_finished()
            return
        relay = self._gatherer.server_at(base, source)
        if relay is not None:
            self._gatherer.relayed(relay, data, now)
        elif self.state is not IceState.CLOSED:
            self._received(data, base, source, now)
        if is_stun:
            self.handle_timeout(now)

    def heard(self, at: float) -> None:
        """Something authentic has come on the pair in use that was not passed through here: SRTP, for instance."""
        if self._path is not None and self._path.pair is not None:
            self._hear(self._path.pair, at)

    def stream_opened(self, stream: int, now: float) -> None:
        """The connection that `OpenStream` ordered is there, TLS included."""
        relay = self._gatherer.stream(stream)
        if relay is not None:
            self._gatherer.stream_opened(relay, now)
            self.handle_timeout(now)

    def stream_received(self, stream: int, data: bytes, now: float) -> None:
        """Bytes came on a TCP or TLS connection to a server."""
        relay = self._gatherer.stream(stream)
        if relay is not None:
            self._gatherer.stream_received(relay, data, now)
            self.handle_timeout(now)

    def stream_closed(self, stream: int, reason: str, now: float) -> None:
        """The connection could not be made, or is gone; ``reason`` is for people."""
        relay = self._gatherer.stream(stream)
        if relay is not None:
            self._gatherer.stream_closed(relay, reason, now)
            self.handle_timeout(now)

    def next_action(self) -> Action | None:
        """What to do next, or ``None``."""
        return self._actions.popleft() if self._actions else None

    def next_timeout(self) -> float | None:
        """When to call `handle_timeout`; ``None``: not before something else happens."""
        if self.state is IceState.CLOSED:
            return self._gatherer.next_timeout()
        times = [self._gatherer.next_timeout(), self._previous_until]
        if not self._dead:
            current = self._current
            decision_at = current.decision_at(self._best, controlling=self.controlling)
            times += [current.checklist.next_due(current.wanted), decision_at, current.patience_at]
            if current.following is not None:
                times.append(current.follow_until)
        if self._consent is not None:
            times += [self._consent.ask_at, self._consent.expires_at]
            if self.state is IceState.CONNECTED and self._consent.suspect_at < self._consent.expires_at:
                times.append(self._consent.suspect_at)
        return min((each for each in times if each is not None), default=None)

    def handle_timeout(self, now: float) -> None:
        """Do what is due. May be called at any time."""
        self._gatherer.handle_timeout(now)
        if self.state is IceState.CLOSED:
            return
        if self._previous_until is not None and now >= self._previous_until:
            self._previous = self._previous_until = None
        self._keep_consent(now)
        current = self._current
        if current.search is not None and now >= current.search_until:
            current.search = None
        if not self._dead:
            self._go_on(now)
        self._tell_finished()

    # Candidates and pairs

    def _generation(self) -> Generation:
        return Generation(self.timing, Credentials.fresh(self._rng))

    def _found(self, kind: CandidateType, address: Address, related: Address, server: Server, now: float) -> None:
        """A server has given a candidate."""
        host = server.address.host
        if kind is CandidateType.RELAYED:
            # Below a host address of the same type preference there is none: each relay has the first place.
            candidate = local_candidate(kind, address, related, 65_535, server=host, hidden=self.relay_only)
            self._add_base(Base(candidate, 65_535), now)
            self._tell(candidate, address, server.name)
        elif not any(candidate.address == address for candidate, _ in self._candidates):
            # In place of what a server saw before: a NAT gives one at a time.
            self._candidates = [each for each in self._candidates if each[1] != related or each[0].type is not kind]
            preference = self._bases[related].preference
            self._tell(local_candidate(kind, address, related, preference, server=host), related, server.name)

    def _tell(self, candidate: Candidate, base: Address, server: str = "") -> None:
        self._candidates.append((candidate, base))
        self._actions.append(CandidateGathered(candidate, self._current.local.ufrag, server))

    def _tell_finished(self) -> None:
        if self.gathering_finished and not self._told_finished:
            self._told_finished = True
            self._actions.append(GatheringFinished())

    def _add_base(self, base: Base, now: float) -> None:
        self._bases[base.address] = base
        for remote in tuple(self._current.remotes.values()):
            self._pair_up(self._current, base, remote, now)

    def _drop_base(self, address: Address, now: float) -> None:
        self._bases.pop(address, None)
        self._candidates = [each for each in self._candidates if each[1] != address]
        for generation in self._generations:
            pairs = generation.checklist.pairs
            for way in [way for way in pairs if way[0] == address]:
                self._drop_pair(generation, pairs.pop(way), now)

    def _drop_pair(self, generation: Generation, pair: Pair, now: float) -> None:
        pair.state = PairState.FAILED
        if generation.followed is pair:
            generation.followed = None
        if generation.pair is pair:
            generation.pair = None
            if generation is self._path:
                self._forget_path()
                self._set_state(IceState.DISCONNECTED)
            if generation is self._current:
                generation.lose(now)

    def _relay_gone(self, relayed: Address | None, host: str | None, now: float) -> None:
        if relayed is None:
            return
        if host is None:
            self._drop_base(relayed, now)
            return
        for generation in self._generations:
            for pair in tuple(generation.checklist):
                if pair.base.address == relayed and pair.remote.address.host == host:
                    self._drop_pair(generation, pair, now)
                    pair.state = PairState.FAILED

    def _pair_up(self, generation: Generation, base: Base, remote: Candidate, now: float) -> Pair | None:
        return generation.pair_up(base, remote, now, controlling=self.controlling)

    def _pair_of(
        self, generation: Generation, base: Address, source: Address, priority: int, now: float
    ) -> Pair | None:
        """The pair that a check has come on, made if need be (RFC 8445 section 7.3.1.3)."""
        pair = generation.checklist.pairs.get((base, source))
        if pair is not None or base not in self._bases:
            return pair
        remote = generation.learn_remote(source, priority)
        if remote is None:
            return None
        pair = self._pair_up(generation, self._bases[base], remote, now)
        if pair is not None and generation is self._path and self._consent is not None:
            # The far end speaks from a new address. If nothing comes from the old one, a NAT may have moved it.
            self._consent.doubt(now, _QUIET)
        return pair

    def _local_of(self, pair: Pair) -> Candidate:
        fits = ((each, base) for each, base in self._candidates if base == pair.base.address)
        return next((each for each, _ in fits if each.address == pair.mapped), pair.base.candidate)

    @property
    def _generations(self) -> tuple[Generation, ...]:
        return (self._current,) if self._previous is None else (self._current, self._previous)

    # Checks

    def _go_on(self, now: float) -> None:
        """Give up, choose, and check, as far as it is due."""
        current = self._current
        if current.patience_at is not None and now >= current.patience_at:
            self._give_up(now)
            return
        if current.followed is not None and now >= current.follow_until:
            current.followed = None
        best = self._best
        decision_at = current.decision_at(best, controlling=self.controlling)
        if decision_at is not None and now >= decision_at and best is not None:
            self._select(current, best, now)
        while not self._dead:
            pair = current.checklist.take(current.wanted, now)
            if pair is None:
                break
            self._check(current, pair, now)

    def _check(self, generation: Generation, pair: Pair, now: float) -> None:
        if generation.remote is not None:
            request = self._checks.request(generation, generation.remote, pair, now)
            self._transmit(pair.base, pair.remote.address, request, now)

    def _transmit(self, base: Base, remote: Address, data: bytes, now: float) -> None:
        if base.relayed:
            self._gatherer.send(data, remote, now)
        else:
            self._actions.append(Transmit(base.address, remote, data))

    def _received(self, data: bytes, base: Address, source: Address, now: float) -> None:
        """A datagram of the far end, or in its name; ``base`` may be a relayed address."""
        if not self._dead and base in self._bases and self._taken(data, base, source, now):
            return
        self._actions.append(Dropped(data, base, source))

    def _taken(self, data: bytes, base: Address, source: Address, now: float) -> bool:
        """Whether it was for this agent."""
        if not data or data[0] > 3:
            pairs = (generation.checklist.pairs.get((base, source)) for generation in self._generations)
            pair = next((each for each in pairs if each is not None and each.heard), None)
            if pair is None or not data:
                return False
            self._hear(pair, now)
            self._actions.append(DataReceived(data))
            return True
        try:
            message = stun.decode(data)
            if message.method is not Method.BINDING or message.kind is Kind.INDICATION:
                return False
            if message.kind is Kind.REQUEST:
                return self._asked(message, base, source, now)
            return self._answered(message, base, source, now)
        except StunError:
            return False

    def _hear(self, pair: Pair, now: float) -> None:
        if self._consent is not None and self._path is not None and self._path.pair is pair:
            self._consent.heard(now)
            if self.state is IceState.DISCONNECTED and now < self._consent.suspect_at:
                self._set_state(IceState.CONNECTED)

    def _asked(self, message: Message, base: Address, source: Address, now: float) -> bool:
        """Whether the request is signed by who may ask."""
        name = (message.get(Attr.USERNAME) or b"").partition(b":")[0]
        generation = next((each for each in self._generations if each.local.ufrag.encode() == name), None)
        if generation is None or not message.verify(generation.local.password.encode()):
            return False
        check = self._checks.read(message, base, source)
        if check is not None:
            # Ahead of the answer: by it the far end may learn that it has chosen well, and go no further.
            self._learn(generation, check, now)
        self._transmit(self._bases[base], source, self._checks.answer(message, check, source, generation.local), now)
        return True

    def _learn(self, generation: Generation, check: HeardCheck, now: float) -> None:
        """Of a check of the far end, as soon as its description is known."""
        if generation.remote is None:
            if len(generation.early) < MAX_EARLY:
                generation.early.append(check)
            return
        pair = self._pair_of(generation, check.base, check.source, check.priority, now)
        if pair is None:
            return
        if check.conflicts:
            self._listens(generation, pair, now)
        else:
            self._checked_by(generation, pair, now, nominates=check.nominates)

    def _rank(self) -> None:
        """The role has changed, and the pairs' priorities with it."""
        for generation in self._generations:
            for pair in generation.checklist:
                pair.rank(controlling=self.controlling)

    def _checked_by(self, generation: Generation, pair: Pair, now: float, *, nominates: bool) -> None:
        """The far end has checked this pair (RFC 8445 sections 7.3.1.4 and 7.3.1.5)."""
        self._hear(pair, now)
        if self.controlling:
            self._listens(generation, pair, now)
        elif nominates:
            pair.heard, pair.nominated_at = True, now
            if pair.state is PairState.SUCCEEDED:
                self._nominated(generation, pair, now)
            elif generation.pair is None:
                generation.follow(pair, now)
        pair.heard = True
        wanted = generation.wanted(pair) if generation is self._current else generation.pair is None
        again = pair.checked_at is None or now - pair.checked_at >= _AGAIN
        if pair.state is not PairState.SUCCEEDED and again and (wanted or (nominates and not self.controlling)):
            if pair.state is PairState.FAILED:
                pair.state = PairState.WAITING
            self._check(generation, pair, now)

    def _listens(self, generation: Generation, pair: Pair, now: float) -> None:
        """A check of the far end, in whichever role, shows this controlling agent where it listens."""
        first, pair.heard = not pair.heard, True
        # One that has no relay of its own is a server as a rule: if it checks our relay, it is there.
        relays = any(each.type is CandidateType.RELAYED for each in generation.remotes.values())
        if generation.pair is None and not (relays and pair.relayed):
            generation.follow(pair, now)
        nominee = generation.pair or generation.following
        if first and nominee is not None and not self._confirmed:
            self._check(generation, nominee, now)

    def _answered(self, message: Message, base: Address, source: Address, now: float) -> bool:
        """Whether it is the answer to a check, from where that went."""
        sent = self._checks.answered(message, base, source)
        if sent is None:
            return False
        generation, pair = sent.generation, sent.pair
        if generation not in self._generations or generation.checklist.pairs.get(pair.way) is not pair:
            return True
        error = message.error
        if message.kind is Kind.SUCCESS:
            pair.mapped = message.address(Attr.XOR_MAPPED_ADDRESS)
            self._succeeded(generation, pair, now, now - sent.at)
        elif error is not None and error[0] == 487:
            self._checks.give_way(sent)
            pair.state = PairState.WAITING if pair.state is not PairState.SUCCEEDED else pair.state
        elif pair is not generation.pair:
            pair.state = PairState.FAILED
        return True

    def _succeeded(self, generation: Generation, pair: Pair, now: float, round_trip: float) -> None:
        pair.state, pair.answered_at, pair.heard = PairState.SUCCEEDED, now, True
        pair.answers += 1
        if generation.success_at is None:
            generation.success_at = now
        if generation is self._path and pair is generation.pair:
            if self._consent is not None:
                self._consent.answered(now, round_trip)
            if generation.search is Search.ANY:
                generation.search = None
            self._set_state(IceState.CONNECTED)
            return
        pair.round_trip = round_trip
        if not self.controlling and pair.nominated_at is not None:
            self._nominated(generation, pair, now)
        elif generation is self._current and generation.search is not None and generation.wanted(pair):
            self._select(generation, pair, now)

    # The selected pair

    def _nominated(self, generation: Generation, pair: Pair, now: float) -> None:
        """The far end nominates a pair that works."""
        if generation.prefers(pair, now):
            self._select(generation, pair, now)

    @property
    def _best(self) -> Pair | None:
        return self._current.best(controlling=self.controlling)

    def _select(self, generation: Generation, pair: Pair, now: float) -> None:
        restarted = self._path is not None and self._path is not generation
        if restarted:
            self._previous_until = now + self.timing.consent_expires
        self._path, generation.pair, generation.followed, generation.hasty = generation, pair, None, False
        generation.search = None
        self._consent = Consent(self.timing, self._rng, pair.answered_at or now, pair.round_trip)
        if self._confirmed:
            self._consent.nominate_until = now + self.timing.nominate_after
        self._gatherer.stop_keepalive()
        if pair.base.relayed:
            self._gatherer.bind(pair.remote.address, now)
        self._set_state(IceState.CONNECTED)
        self._actions.append(PairSelected(self._local_of(pair), pair.remote, restarted))
        if self.controlling:
            self._ask(now)
        else:
            self._consent.asked(now, nominates=False)

    def _ask(self, now: float) -> None:
        """A check of the selected pair: for consent, and to nominate it."""
        if self._consent is not None and self._path is not None and self._path.pair is not None:
            self._check(self._path, self._path.pair, now)
            self._consent.asked(now, nominates=self.controlling)

    def _keep_consent(self, now: float) -> None:
        consent, path = self._consent, self._path
        if consent is None or path is None:
            return
        if now >= consent.expires_at:
            path.pair = None
            self._forget_path()
            if path is self._current:
                self._set_state(IceState.FAILED)
            else:
                self._previous = None
                self._set_state(IceState.CHECKING if self._current.remote is not None else IceState.DISCONNECTED)
            return
        if self.state is IceState.CONNECTED and now >= consent.suspect_at:
            self._set_state(IceState.DISCONNECTED)
            if path.pair is not None and path.pair.base.relayed:
                self._gatherer.refresh(now)
            if path is self._current:
                self._current.look(Search.ANY, now)
        if now >= consent.ask_at:
            self._ask(now)

    def _give_up(self, now: float) -> None:
        if self._path is not None:
            self._actions.append(RestartFailed())
            self.abandon_restart(now)
        else:
            self._set_state(IceState.FAILED)

    @property
    def _dead(self) -> bool:
        return self.state in (IceState.FAILED, IceState.CLOSED)

    def _forget_path(self) -> None:
        self._path = self._consent = self._current.search = None

    def _set_state(self, state: IceState) -> None:
        if state is not self.state:
            self.state = state
            self._actions.append(StateChanged(state))

    def _open(self) -> None:
        if self.state is IceState.CLOSED:
            raise IceError("the agent is closed")
