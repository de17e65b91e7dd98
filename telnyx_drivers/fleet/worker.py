"""A worker process: one client, whose calls it gives to the bot, for as long as it has the lease of a shard."""

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from functools import partial
from importlib import import_module
from typing import Final, TypeAlias, assert_never

import anyio
from anyio.abc import TaskGroup
from attrs import field, frozen

from telnyx_core._wire.json_types import JsonView
from telnyx_core.catalogue import ErrorCode
from telnyx_core.errors import LocalProtocolError
from telnyx_core.events import CallUpdated, Cause, Ready
from telnyx_core.fleet import worker as machine
from telnyx_core.fleet.calls import MAX_TEXT, CallRecord, Outcome, Stage
from telnyx_core.fleet.requests import WorkerRequest
from telnyx_core.fleet.worker import Why, Worker, WorkerAction, WorkerFact
from telnyx_core.options import CallOptions
from telnyx_core.states import CallState
from telnyx_drivers import _logs as logs
from telnyx_drivers._guard import isolated, reason_of, tell
from telnyx_drivers._worker_threads import in_thread
from telnyx_drivers.asyncio import CallEnded, CallHandle, TelnyxClientError, TelnyxRTC
from telnyx_drivers.fleet.store import FleetStore

Bot: TypeAlias = Callable[[CallHandle], Awaitable[object]]

POLL: Final = 0.05
"""Seconds between two looks at the store for something new to do."""
LEAVING: Final = 0.5
"""Of the margin of a lease: to leave in, once the lease has come to its end here."""
ENDING: Final = 0.75
"""Of the margin: by then the process has ended, whatever its loop does."""
AFTERWARDS: Final = 10.0
"""Seconds that a bot has once its call has ended: it still has the slot."""
FENCED: Final = 75
"""The exit status of a worker that has lost its lease."""

_RINGING: Final = frozenset({CallState.TRYING, CallState.RINGING, CallState.EARLY})
_ANSWERED: Final = frozenset({CallState.ACTIVE, CallState.HELD})
_ENDED: Final = (LocalProtocolError, TelnyxClientError)
"""What a bot's commands raise after the far end has hung up; it is no fault of the bot."""

_this: ContextVar[CallRecord] = ContextVar("telnyx_fleet_call")


def this_call() -> CallRecord:
    """In a bot: what the fleet knows of its call, as the ``key``, and how often it has moved (``moves``).

    Raises ``LookupError`` elsewhere.
    """
    return _this.get()


@frozen
class Assignment:
    """What a worker is to be told. It is sent by `pickle`, and holds credentials."""

    shard: int
    owner: str
    store: FleetStore
    bot: Bot
    options: Mapping[str, object] = field(repr=False)
    """Keywords of `TelnyxRTC`."""


class _Values:
    """The store of the client: the ledger has the values, under the fencing token."""

    def __init__(self, values: JsonView, save: Callable[[JsonView], None]) -> None:
        self._values = values
        self._save = save

    def load(self) -> JsonView | None:
        return self._values or None

    def save(self, values: JsonView) -> None:
        self._save(dict(values))


class WorkerRuntime:
    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment
        self._machine = Worker(assignment.shard, assignment.owner)
        self._inbox: deque[WorkerFact] = deque()
        self._news = asyncio.Event()
        self._client: TelnyxRTC | None = None
        self._offered: dict[str, CallHandle] = {}
        """Calls that no bot has yet, by id."""
        self._ringing: dict[str, CallHandle] = {}
        """Inbound ones among them, by key."""
        self._calls: dict[str, CallHandle] = {}
        """Those that a bot has, or that are being dialled, by key."""
        self._leaving = False

    async def run(self) -> None:
        """Until the lease is given back. A lease that is lost ends the process."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._tell, machine.Asked())
        threading.Thread(target=self._watch_fence, daemon=True, name="telnyx fence").start()
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._watch_store)
                await self._drive(tasks)
                tasks.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None  # the group is this package's own

    # The drive: mutate, drain, wait.

    def _tell(self, fact: WorkerFact) -> None:
        self._inbox.append(fact)
        self._news.set()

    async def _drive(self, tasks: TaskGroup) -> None:
        self._machine.start(now=time.monotonic())
        while True:
            while (action := self._machine.next_action()) is not None:
                if isinstance(action, machine.Stop):
                    await self._stop(action.why)
                    return
                self._perform(action, tasks)
            due = self._machine.next_timeout()
            with anyio.move_on_after(None if due is None else max(0.0, due - time.monotonic())):
                await self._news.wait()
            self._news.clear()
            while self._inbox:
                self._machine.receive(self._inbox.popleft(), now=time.monotonic())
            if due is not None and time.monotonic() >= due:
                self._machine.handle_timeout(now=time.monotonic())

    def _perform(self, action: WorkerAction, tasks: TaskGroup) -> None:
        match action:
            case machine.Ask(number, request):
                tasks.start_soon(self._ask, number, request)
            case machine.Connect(values):
                tasks.start_soon(self._serve, values, tasks)
            case machine.Place(record):
                tasks.start_soon(self._place, record)
            case machine.Take(record) | machine.Resume(record):
                self._ringing.pop(record.key, None)
                # The caller may have hung up; the machine was told, then.
                if (call := self._offered.pop(record.call, None)) is not None:
                    tasks.start_soon(self._converse, record, call)
            case machine.Decline(key):
                if (call := self._ringing.pop(key, None)) is not None:
                    tasks.start_soon(self._hang_up, call, "USER_BUSY")
            case machine.EndCall(key):
                if (call := self._calls.get(key)) is not None:
                    tasks.start_soon(self._hang_up, call)
            case machine.EndStranger(id_):
                if (call := self._offered.pop(id_, None)) is not None:
                    tasks.start_soon(self._hang_up, call)
            case machine.Leave():
                tasks.start_soon(self._leave)
            case machine.Stop():
                raise AssertionError("the drive ends with it")
            case _:
                assert_never(action)

    # The store.

    async def _ask(self, number: int, request: WorkerRequest) -> None:
        try:
            reply = await in_thread(partial(self._assignment.store.apply, request))
        except OSError as error:
            logs.client.warning("the fleet's store: %s", reason_of(error))
            self._tell(machine.Unreachable(number))
        else:
            self._tell(machine.Replied(number, reply))

    async def _watch_store(self) -> None:
        concerns = partial(self._assignment.store.concerns, self._assignment.shard)
        last: object = None
        while True:
            await anyio.sleep(POLL)
            with contextlib.suppress(OSError):  # the lease's renewal tells of it
                now = await in_thread(concerns)
                if now != last:
                    self._tell(machine.StoreChanged())
                last = now

    def _watch_fence(self) -> None:
        """In a thread: a loop that a bot keeps busy cannot stop in time, and a process that stood still is late."""
        while True:
            time.sleep(POLL)
            fence = self._machine.fence
            if fence is not None and time.monotonic() > fence + ENDING * self._machine.margin:
                logs.client.error("worker %s has lost its lease and ends", self._assignment.owner)
                os._exit(FENCED)

    # The client.

    async def _serve(self, values: JsonView, tasks: TaskGroup) -> None:
        store = _Values(values, lambda saved: self._tell(machine.Saved(saved)))
        options = {**self._assignment.options, "hangup_on_before_unload": False}
        client = self._client = TelnyxRTC(store=store, connect_timeout=None, **options)  # type: ignore[arg-type]
        client.on(Ready, lambda: self._tell(machine.Registered()))
        try:
            async with client:
                async for call in client.incoming(recovered=True):
                    self._offered[call.id] = call
                    if call.state is CallState.RINGING:
                        key = call.info.telnyx_session_id or call.id
                        self._ringing[key] = call
                        tasks.start_soon(self._watch_ringing, key, call)
                        self._tell(machine.Rang(key, call.id, call.info.remote_caller_number))
                    else:
                        self._tell(machine.Recovered(call.id))
        except TelnyxClientError:
            if not self._leaving:
                raise

    async def _watch_ringing(self, key: str, call: CallHandle) -> None:
        await call.wait_ended()
        if self._ringing.pop(key, None) is not None:
            self._offered.pop(call.id, None)
            self._tell(machine.Over(key, Outcome.FAILED))

    async def _hang_up(self, call: CallHandle, cause: str | None = None) -> None:
        with contextlib.suppress(*_ENDED):
            await call.hangup(cause)

    async def _place(self, record: CallRecord) -> None:
        assert self._client is not None, "it dials under a lease"
        options = {**record.options, "destination_number": record.number, "id": record.call}
        try:
            call = await self._client.new_call(CallOptions.from_mapping(options), wait_for_ready=True)
        except _ENDED as error:
            self._tell(machine.Over(record.key, Outcome.FAILED, error=reason_of(error)))
            return
        await self._converse(record, call)

    async def _converse(self, record: CallRecord, call: CallHandle) -> None:
        """From here on the call is the bot's: an inbound one as it rings, another once it is answered."""
        self._calls[record.key] = call
        fault: Exception | None = None
        cause = Cause(None, None)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._follow, record.key, call)
            with contextlib.suppress(CallEnded):
                if not record.inbound or record.stage is Stage.ACTIVE:
                    await call.wait_for_state(_ANSWERED)
                fault = await self._talk(record, call)
            if self._leaving:
                await anyio.sleep_forever()  # the call goes on elsewhere
            cause = await (call.hangup() if fault is None else call.hangup("NORMAL_TEMPORARY_FAILURE", 41))
            tasks.cancel_scope.cancel()
        del self._calls[record.key]
        answered = call.info.answered or record.stage is Stage.ACTIVE
        outcome = Outcome.COMPLETED if answered and fault is None else Outcome.FAILED
        if call.error is not None and call.error.code == ErrorCode.SESSION_NOT_REATTACHED:
            outcome = Outcome.LOST
        error = None if fault is None else f"{type(fault).__name__}: {reason_of(fault)}"[:MAX_TEXT]
        self._tell(machine.Over(record.key, outcome, cause.cause, cause.cause_code, error))

    async def _talk(self, record: CallRecord, call: CallHandle) -> Exception | None:
        """What the bot has raised. It has some time for what is to be done after the call."""
        _this.set(record)
        talking = isolated("the bot", expected=_ENDED)
        async with anyio.create_task_group() as tasks:

            async def end() -> None:
                await call.wait_ended()
                await anyio.sleep(AFTERWARDS)
                logs.client.warning("the bot has not returned after its call, and is cancelled")
                tasks.cancel_scope.cancel()

            tasks.start_soon(end)
            with talking:
                await self._assignment.bot(call)
            tasks.cancel_scope.cancel()
        if isinstance(talking.fault, _ENDED):
            if not call.live:
                return None
            tell("the bot", talking.fault)
        return talking.fault

    async def _follow(self, key: str, call: CallHandle) -> None:
        def note(state: CallState) -> None:
            if state in _RINGING or state in _ANSWERED:
                self._tell(machine.Progress(key, Stage.ACTIVE if state in _ANSWERED else Stage.RINGING))

        events = call.events()
        note(call.state)
        async for event in events:
            if isinstance(event, CallUpdated):
                note(event.call.state)

    # The end.

    async def _leave(self) -> None:
        """The bots end after the client: what they do on their way out must not hang their calls up."""
        self._leaving = True
        if self._client is not None:
            await self._client.leave()
        self._tell(machine.Left())

    async def _stop(self, why: Why) -> None:
        match why:
            case Why.RELEASED:
                return
            case Why.EXPIRED | Why.FENCED:
                logs.client.error("worker %s ends: its lease is %s", self._assignment.owner, why.value)
                with anyio.move_on_after(LEAVING * self._machine.margin):
                    await self._leave()
                os._exit(FENCED)
            case _:
                assert_never(why)


def work(assignment: Assignment) -> None:
    """What a worker does from its first moment to its last. Raises ``TelnyxClientError``."""
    with contextlib.suppress(ModuleNotFoundError):  # without the extra, a call says so
        import_module("telnyx_drivers._webrtc.engine")  # before the lease is asked for: it takes a second
    asyncio.run(WorkerRuntime(assignment).run())
