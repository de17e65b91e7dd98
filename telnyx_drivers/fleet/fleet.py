"""`Fleet`: many calls over many worker processes, each with an owner that is known."""

import json
import os
import pickle
import random
import uuid
import weakref
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, suppress
from functools import partial
from types import TracebackType
from typing import Final, Literal, Self, Unpack, cast

import anyio
from attrs import asdict

from telnyx_core._wire.json_types import Json
from telnyx_core.fleet.calls import MAX_TEXT, CallRecord, Outcome, Stage
from telnyx_core.fleet.head import Head, KillWorker, StartWorker
from telnyx_core.fleet.ledger import ENDED_KEPT, LEASE
from telnyx_core.fleet.requests import (
    Beat,
    Close,
    Closed,
    Collect,
    Dial,
    Died,
    Full,
    HandOver,
    HangUp,
    Open,
    Placed,
    Reply,
    Request,
    View,
)
from telnyx_core.options import CallOptions, ClientOptions, Codec, CustomHeader, IceServer
from telnyx_drivers import _logs as logs
from telnyx_drivers._exceptions import TelnyxClientError
from telnyx_drivers._guard import reason_of
from telnyx_drivers._keywords import CallKeywords, ClientKeywords
from telnyx_drivers._services.tokens import TokenProvider
from telnyx_drivers._worker_threads import in_thread
from telnyx_drivers.fleet.process import Processes
from telnyx_drivers.fleet.ray import RayStore, RayWorkers
from telnyx_drivers.fleet.store import FleetStore, LocalStore
from telnyx_drivers.fleet.worker import Assignment, Bot

POLL: Final = 0.05
"""Seconds between two looks at the ledger and the workers."""
BEAT: Final = 1.0
"""Seconds between two beats, where nothing happens."""
GOODBYE: Final = 15.0
"""Seconds for all calls to be hung up, and again for all workers to end."""
HANDING_OVER: Final = 45.0
"""Seconds for workers to leave: they wait for unanswered calls."""


class FleetFull(TelnyxClientError):
    """Every slot is in use, and none became free in time. Nothing was dialled."""


class FleetClosed(TelnyxClientError):
    """The fleet takes no more calls: it is being drained, or has ended. Nothing was dialled."""


class FleetCall:
    """A call of a fleet, wherever it is now."""

    def __init__(self, fleet: "Fleet", record: CallRecord) -> None:
        self._fleet = fleet
        self.record = record
        """What the fleet knows of it now."""

    def __repr__(self) -> str:
        return f"<FleetCall {self.key} {self.record.stage.name.lower()}>"

    @property
    def key(self) -> str:
        """The key that it was dialled with."""
        return self.record.key

    async def answered(self) -> bool:
        """Wait for the answer. False: it ended without one, which `ended` explains."""
        while self.record.stage < Stage.ACTIVE:
            await self._fleet.change()
        return self.record.stage is Stage.ACTIVE or self.record.outcome is Outcome.COMPLETED

    async def ended(self) -> CallRecord:
        """Wait for the end: ``outcome``, ``cause``, ``error``, ``owner`` and ``moves`` tell of it."""
        while self.record.live:
            await self._fleet.change()
        return self.record

    async def hangup(self) -> CallRecord:
        """End it, wherever it is, and wait for that."""
        await self._fleet.ask(HangUp(self.key))
        return await self.ended()


class Fleet:
    """Worker processes that share ``slots`` calls at a time, exactly.

    ``bot`` is called with every call, in a worker: with an inbound one as it rings, with a dialled one once it is
    answered, and again with one that another worker had before. When it returns or raises, the call is hung up. It must
    be importable there: a function at the top of a module. `this_call` tells it which call it has.

    ``store`` is a folder on this machine that is this fleet's own, or a `FleetStore`. Whoever opens the same one later,
    after a crash or with a new version, takes the calls over, if it comes within two minutes.

    ``on`` says where the workers are: ``"processes"`` of this machine, or ``"ray"``: actors on the nodes of the Ray
    cluster that this program is connected to, or that ``RAY_ADDRESS`` or this machine's own node leads to. There,
    ``store`` is a folder on Ray's head node, and each worker's slots are as many of its node's resource
    ``telnyx_slots``. It needs the extra ``ray``.

    ``workers`` is how many processes there are, one for each core by default. ``lease`` is how many seconds a worker
    that stands still, or that does not reach the store, keeps its calls from the others. With ``hand_over`` leaving the
    block does not hang up: the calls wait for the next fleet. All other keywords are those of `TelnyxRTC`.

        async with Fleet(bot, slots=300, store="/var/lib/calls", login_token=token) as fleet:
            call = await fleet.dial("+15551234567", key="lead-42")
            print(await call.ended())
    """

    def __init__(
        self,
        bot: Bot,
        *,
        slots: int,
        store: "str | os.PathLike[str] | FleetStore",
        on: Literal["processes", "ray"] = "processes",
        workers: int | None = None,
        lease: float = LEASE,
        hand_over: bool = False,
        token_provider: TokenProvider | None = None,
        **options: Unpack[ClientKeywords],
    ) -> None:
        if slots < 1:
            raise ValueError(f"slots must be at least 1, not {slots}")
        count = min(slots, workers or os.cpu_count() or 1)
        self._shards = tuple(slots // count + (number < slots % count) for number in range(count))
        if isinstance(store, str | os.PathLike):
            store = RayStore(store, lease=lease) if on == "ray" else LocalStore(store, lease=lease)
        self._store = store
        self._workers = RayWorkers(str(store), self._shards) if on == "ray" else Processes()
        self._hand_over = hand_over
        self._options: dict[str, object] = {**options}
        if token_provider is not None:
            self._options["token_provider"] = token_provider
        else:
            ClientOptions(**options)
        self._bot = bot
        self._head = Head(f"head-{uuid.uuid4().hex[:8]}", rng=random.SystemRandom())
        self._stack = AsyncExitStack()
        self._handles: weakref.WeakSet[FleetCall] = weakref.WeakSet()
        self._results: deque[CallRecord] = deque(maxlen=ENDED_KEPT)
        """Not yet given to the application; as many as the ledger remembers."""
        self._view: View | None = None
        self._last_end = 0
        self._news = anyio.Event()
        self._over = False

    async def __aenter__(self) -> Self:
        self._assignment(0, "nobody")
        await self.ask(Open(self._head.name, self._shards))
        tasks = await self._stack.enter_async_context(anyio.create_task_group())
        self._stack.callback(tasks.cancel_scope.cancel)
        tasks.start_soon(self._tend)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            with anyio.CancelScope(shield=True):
                await self._part()
        finally:
            self._over = True
            self._tell()
            await self._stack.aclose()
            await in_thread(partial(self._workers.close, for_good=not self._hand_over))
            if isinstance(self._store, LocalStore):
                self._store.close()
            elif isinstance(self._store, RayStore) and not self._hand_over:
                await in_thread(self._store.close)

    async def _part(self) -> None:
        if self._hand_over:
            self._head.end()
            await self._see_off(HANDING_OVER)
            return
        with anyio.move_on_after(GOODBYE):
            await self.ask(Close())
            for record in (await self._look()).live:
                await self.ask(HangUp(record.key))
            while (await self._look()).live:
                await self.change()
        self._head.end()
        await self._see_off(GOODBYE)

    async def _see_off(self, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            await self.ask(HandOver(tuple(each.number for each in (await self._look()).shards), at_once=True))
            while self._head.workers:
                await self.change()

    # Calls.

    async def dial(
        self, number: str, *, key: str, timeout: float | None = None, **options: Unpack[CallKeywords]
    ) -> FleetCall:
        """Call a number, at most once for each ``key``: a second time, the first one's call is returned.

        Waits for a slot, for ``timeout`` seconds at most: then `FleetFull`. Raises `FleetClosed` while the fleet is
        being drained. Returns when the call has a slot. It is never dialled a second time: if its worker is lost at
        that moment, it ends with the outcome ``unknown``. A key is remembered until ten thousand other calls have ended
        after it. ``options`` are those of `TelnyxRTC.new_call` that JSON can say.
        """
        for name, text in (("key", key), ("number", number)):
            if not 0 < len(text) <= MAX_TEXT:
                raise ValueError(f"{name} must have 1 to {MAX_TEXT} characters")
        if "id" in options:
            raise TypeError("the fleet gives its calls their ids; name them by key")
        CallOptions(destination_number=number, **options)
        dial = Dial(key, str(uuid.uuid4()), number, _as_json(options))
        with anyio.move_on_after(timeout):
            while True:
                before = self._news
                reply = await self.ask(dial)
                match reply:
                    case Placed(record):
                        call = FleetCall(self, record)
                        self._handles.add(call)
                        return call
                    case Full():
                        await before.wait()
                    case Closed():
                        raise FleetClosed("the fleet takes no more calls")
                    case _:
                        raise AssertionError("no reply to a dial")
        raise FleetFull("every slot is in use")

    async def results(self) -> AsyncIterator[CallRecord]:
        """Every call that has ended, in that order, also inbound ones and those of an earlier fleet with this store.

        A result that was being worked on when the program was lost is returned again by the next one. Ends when the
        fleet is drained, or has ended.
        """
        while True:
            while self._results:
                record = self._results[0]
                yield record
                self._results.popleft()
                await self.ask(Collect(record.number_of_end))
            view = self._view
            if self._over or (view is not None and view.closed and not view.live):
                return
            await self.change()

    async def drain(self, timeout: float | None = None) -> bool:
        """Take no more calls, and wait until the last one has ended. False: some are left after ``timeout`` seconds."""
        await self.ask(Close())
        with anyio.move_on_after(timeout):
            while (await self._look()).live:
                await self.change()
            return True
        return False

    async def replace_workers(self) -> None:
        """Have new processes take the calls over, one after the other: for a new version of a bot's modules.

        A worker goes when another one waits, and its calls are answered or over; they are interrupted for about a
        second.
        """
        for shard in (await self._look()).shards:
            if shard.owner is None:
                continue
            await self.ask(HandOver((shard.number,)))
            while self._owner(shard.number) in (shard.owner, None):
                await self.change()

    def _owner(self, shard: int) -> str | None:
        view = self._view
        return next((each.owner for each in view.shards if each.number == shard), "") if view is not None else None

    @property
    def calls(self) -> Mapping[str, CallRecord]:
        """The live calls, by key."""
        return {} if self._view is None else {each.key: each for each in self._view.live}

    # For the calls.

    async def ask(self, request: Request) -> Reply:
        """Until the store has replied."""
        while True:
            try:
                with anyio.CancelScope(shield=True):  # What was asked for counts, and its reply must not be lost.
                    return await in_thread(partial(self._store.apply, request))
            except OSError as error:
                logs.client.warning("%s", reason_of(error))
                await anyio.sleep(BEAT)

    async def change(self) -> None:
        """Wait until something has changed."""
        await self._news.wait()

    # Inside.

    def _tell(self) -> None:
        self._news.set()
        self._news = anyio.Event()

    async def _look(self) -> View:
        """What the ledger is now, and not a moment ago."""
        reply = await self.ask(Beat(self._last_end))
        assert isinstance(reply, View), "so a beat is answered"
        self._note(reply)
        return reply

    def _note(self, view: View) -> None:
        self._view = view
        known = {each.key: each for each in (*view.live, *view.ended)}
        for call in self._handles:
            call.record = known.get(call.key, call.record)
        for record in view.ended:
            if record.number_of_end > self._last_end:
                self._last_end = record.number_of_end
                if record.number_of_end > view.collected:
                    self._results.append(record)
        self._tell()

    def _assignment(self, shard: int, owner: str) -> Assignment:
        made = Assignment(shard, owner, self._store, self._bot, self._options)
        try:
            pickle.dumps(made)
        except Exception as error:  # whatever an application's objects raise
            raise TypeError(
                "a worker process must be able to import the bot, the token provider and the store: use functions at "
                f"the top of a module ({reason_of(error)})"
            ) from error
        return made

    async def _tend(self) -> None:
        """Keeps the workers there, and the view fresh."""
        last: object = None
        beaten = -BEAT
        while True:
            with suppress(OSError):
                for gone in await in_thread(self._workers.ended):
                    await in_thread(partial(self._store.apply, Died(gone.shard, gone.owner)))
                    self._head.ended(gone.owner, now=anyio.current_time())
                    self._tell()
                concerns = await in_thread(partial(self._store.concerns, None))
                if concerns != last or anyio.current_time() >= beaten + BEAT:
                    last, beaten = concerns, anyio.current_time()
                    self._head.looked(await self._look(), now=anyio.current_time())
            while (action := self._head.next_action()) is not None:
                match action:
                    case StartWorker(shard, owner):
                        await in_thread(partial(self._workers.start, self._assignment(shard, owner)))
                    case KillWorker(_, owner):
                        await in_thread(partial(self._workers.kill, owner))
            await anyio.sleep(POLL)


def _as_json(options: CallKeywords) -> dict[str, Json]:
    """Raises ``TypeError`` for what JSON cannot say."""

    def plain(value: object) -> object:
        match value:
            case CustomHeader() | IceServer() | Codec():
                return asdict(value)
            case uuid.UUID():
                return str(value)
            case Iterable():
                return list(cast("Iterable[object]", value))
            case _:
                raise TypeError(f"an option of a fleet's call must be JSON, not {type(value).__name__}")

    return cast("dict[str, Json]", json.loads(json.dumps(options, default=plain)))
