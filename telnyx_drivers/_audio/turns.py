"""Who spoke when, and how long the other one took to answer: from the two streams of a call, understanding neither."""

from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from typing import Final, Literal, TypeAlias

from attrs import define, frozen

from telnyx_drivers._audio.frames import Samples, silence
from telnyx_drivers._audio.history import History
from telnyx_drivers._audio.speech import LATENESS, Edge, SpeechDetector
from telnyx_drivers._audio.timeline import Timeline
from telnyx_drivers._audio.wakeup import CallSoon
from telnyx_drivers._audio.way import Way

Who: TypeAlias = Literal["local", "remote"]

PAUSE: Final = 0.7
"""Seconds without speech that end a turn."""
_BRIEF: Final = 0.35
"""A shorter pause ends none, not even where the other one speaks in it: it lies between two words."""
_MOST: Final = 4_096
"""Turns that are kept: hours of talk; of more, the oldest are dropped."""


@frozen(kw_only=True)
class Turn:
    """One of the two spoke. Times are seconds since the first frame of the call, as the far end lived them.

    So ``local`` speech counts from when it was heard there, and ``remote`` speech from when it was said there. The far
    end is that of the RTP.
    """

    who: Who
    """``local``: what this end said. ``remote``: what the far end said."""
    start: float
    """Seconds since the first frame of the call."""
    end: float
    """Seconds since the first frame of the call."""
    overlap: float
    """Seconds of it in which the other one spoke too."""
    response: float | None
    """Seconds from the end of the other's turn to the start of this one: of a local turn, how long the caller waited.

    ``None`` where the other one had not spoken since the last turn, or spoke still.
    """
    interrupts: bool
    """It began while the other one spoke."""
    barge_in: float | None
    """Of one that interrupts: seconds until the other one fell silent; ``None`` where they did not."""


@define
class _Party:
    who: Who
    speaking: bool = False
    since: float | None = None
    """When the turn began that is open."""
    until: float | None = None
    """When they last fell silent."""
    last_turn: float | None = None
    """When their last turn ended."""
    overlap: float = 0.0
    response: float | None = None
    interrupts: bool = False
    barge_in: float | None = None

    def close(self) -> Turn:
        assert self.since is not None, "only what is open is closed"
        assert self.until is not None, "a turn is closed in a pause"
        turn = Turn(
            who=self.who,
            start=self.since,
            end=self.until,
            overlap=self.overlap,
            response=self.response,
            interrupts=self.interrupts,
            barge_in=self.barge_in,
        )
        self.since, self.last_turn = None, self.until
        self.overlap, self.response, self.interrupts, self.barge_in = 0.0, None, False, None
        return turn


class TurnTaking:
    """Makes turns of the edges of both parties' speech, which are given in order of time."""

    def __init__(self) -> None:
        self._local, self._remote = _Party("local"), _Party("remote")
        self._both_since: float | None = None

    def edge(self, who: Who, edge: Edge) -> Sequence[Turn]:
        me, other = (self._local, self._remote) if who == "local" else (self._remote, self._local)
        closed = self.pass_to(edge.at)
        if edge.speaking:
            if me.since is not None and self._parted(me, other, edge.at):
                closed = [*closed, me.close()]
            self._begin(me, other, edge.at)
        elif me.speaking:
            me.speaking, me.until = False, edge.at
            if self._both_since is not None:
                both, self._both_since = edge.at - self._both_since, None
                me.overlap += both
                other.overlap += both
            if other.speaking and other.interrupts and other.barge_in is None and other.since is not None:
                other.barge_in = edge.at - other.since
        return closed

    def pass_to(self, time: float) -> Sequence[Turn]:
        """Nothing happened until then."""
        return [
            party.close()
            for party in (self._local, self._remote)
            if party.since is not None
            and not party.speaking
            and party.until is not None
            and time - party.until >= PAUSE
        ]

    def _parted(self, me: _Party, other: _Party, at: float) -> bool:
        """Between the present turn and what begins now, the other one had their turn."""
        assert me.until is not None, "who begins to speak was silent"
        return at - me.until >= _BRIEF and (other.speaking or (other.until is not None and other.until > me.until))

    def _begin(self, me: _Party, other: _Party, at: float) -> None:
        me.speaking = True
        if other.speaking:
            self._both_since = at
            if other.interrupts:
                other.barge_in = None  # only a pause between two words: they go on
        if me.since is None:
            me.since = at
            me.interrupts = other.speaking
            answers = other.until is not None and (me.last_turn is None or other.until > me.last_turn)
            if not other.speaking and answers and other.until is not None:
                me.response = at - other.until


class Turns(History[Turn]):
    """The turns of a call: iterate over all of them from the first on, or look at those so far.

    A turn comes about a second after it has ended. The iteration ends with the call, and several tasks may iterate. ::

        async for turn in call.turns:
            if turn.who == "local" and turn.response is not None:
                print(f"we answered after {turn.response:.2f} s")
    """

    def __init__(
        self, timeline: Timeline, way: Callable[[], Way], filling: Callable[[], bool], call_soon: CallSoon | None
    ) -> None:
        """``filling``: what is sent now is not said by anyone."""
        super().__init__(_MOST, call_soon)
        self._timeline = timeline
        self._way = way
        self._filling = filling
        self._ears: dict[Who, SpeechDetector] = {"local": SpeechDetector(), "remote": SpeechDetector()}
        self._edges: list[tuple[float, Who, bool]] = []
        """Those whose time may still come before that of another one."""
        self._taking = TurnTaking()

    def sent(self, samples: Samples, rate: int, at: int) -> None:
        """As a `SampleTap`. Media loop."""
        said = silence(samples.size) if self._filling() else samples
        self._note("local", self._ears["local"].feed(said, rate, self._timeline.sent.exact))

    def heard(self, samples: Samples, rate: int, at: int) -> None:
        """As a `SampleTap`. Media loop."""
        self._note("remote", self._ears["remote"].feed(samples, rate, self._timeline.heard.exact))

    def close(self) -> None:
        """The call has ended."""
        if self.ended:
            return
        way = self._way()
        for who, ear in self._ears.items():
            self._collect(who, ear.end(), way)
        self._settle(float("inf"))
        self._end()

    def _note(self, who: Who, edges: Sequence[Edge] | None) -> None:
        if edges is None:
            return
        if edges:
            self._collect(who, edges, self._way())
        if who == "local":
            # The streams run side by side: what comes of either from now on is not older than this.
            self._settle(self._timeline.sent.exact - LATENESS - self._way().inward)

    def _collect(self, who: Who, edges: Sequence[Edge], way: Way) -> None:
        shift = way.outward if who == "local" else -way.inward
        for edge in edges:
            heappush(self._edges, (edge.at + shift, who, edge.speaking))

    def _settle(self, until: float) -> None:
        turns: list[Turn] = []
        while self._edges and self._edges[0][0] <= until:
            at, who, speaking = heappop(self._edges)
            turns += self._taking.edge(who, Edge(speaking, at))
        turns += self._taking.pass_to(until)
        if turns:
            self._add(turns)
