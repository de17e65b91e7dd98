"""The end of the process hangs up every call, whatever ends it (SIG-236).

Under its default action, a signal would end the process at once, and far ends would wait for a caller who is
gone. While a client is connected, SIGTERM and SIGHUP first hang up, for at most two seconds, and then end the
process as they would have done. An application that handles a signal itself, or has it ignored, keeps it.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Final, Protocol

from telnyx_drivers import _logs as logs

SECONDS: Final = 2.0
"""For all clients together."""
_REST: Final = 2.5
"""For files and reports after that, which bound themselves."""
_SIGNALS: Final = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Party(Protocol):
    """A connected client. Both methods are called in a signal handler: they only schedule."""

    def part(self, done: Callable[[], None]) -> None:
        """Hang up, and call ``done`` from any thread, at most `SECONDS` later."""
        ...


Drain = Callable[[], None]

_parties: Final[list[Party]] = []
_drains: Final[list[Drain]] = []
_finishing: Final[list[Callable[[], None]]] = []
_wishes: Final[list[BaseException | None]] = []
"""Exceptions to raise in the main thread; ``None`` after one was raised, until a client connects again."""


def join(party: Party) -> None:
    """Hang up for this client at the end of the process. Called in the main thread, it watches the signals too."""
    if party not in _parties:
        _parties.append(party)
    watch()


def leave(party: Party) -> None:
    """Idempotent."""
    if party in _parties:
        _parties.remove(party)
    if not _parties and not _drains:
        _unwatch()


def drain_on_signal(drain: Drain) -> Callable[[], None]:
    """Have the first signal call ``drain`` instead; returns what takes that back."""
    _drains.append(drain)
    watch()

    def forget() -> None:
        if drain in _drains:
            _drains.remove(drain)
        if not _parties and not _drains:
            _unwatch()

    return forget


def finish_with(function: Callable[[], None]) -> None:
    """Call this in a thread when a signal ends the process and all calls are hung up: for what `atexit` would do."""
    _finishing.append(function)


def end_main(error: BaseException) -> None:
    """Raise ``error`` in the main thread, whatever it waits for: for ``sys.exit()`` in a thread of this package."""
    if _wishes:
        return  # a handler may get the hang-up's event too, and must not interrupt it
    main = threading.main_thread().ident
    ours = [number for number in _SIGNALS if signal.getsignal(number) is _on_signal]
    if not ours or main is None or not hasattr(signal, "pthread_kill"):
        logs.client.error("the program cannot be ended from a handler: its signals are the application's own")
        return
    _wishes.append(error)
    # A signal interrupts a wait for a lock. This one has a handler of this package, and here no other meaning.
    signal.pthread_kill(main, ours[0])


def watch() -> None:
    """Watch the signals. Works in the main thread only, and takes no signal that has another handler."""
    if threading.current_thread() is not threading.main_thread():
        return
    _wishes.clear()
    for number in _SIGNALS:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _on_signal)


def _unwatch() -> None:
    if threading.current_thread() is threading.main_thread():
        for number in _SIGNALS:
            if signal.getsignal(number) is _on_signal:
                signal.signal(number, signal.SIG_DFL)


def _on_signal(number: int, frame: FrameType | None) -> None:
    if _wishes and (wish := _wishes[0]) is not None:
        _wishes[0] = None
        raise wish
    if _drains:
        drains = list(_drains)
        _drains.clear()  # a second signal does not wait for them
        for drain in drains:
            drain()
        return
    signal.signal(number, signal.SIG_DFL)  # another one ends it at once
    parting = [(party, threading.Event()) for party in _parties]
    for party, parted in parting:
        party.part(parted.set)
    # In a thread: the loops that hang up may run in this one.
    threading.Thread(target=_end, args=(number, [parted for _, parted in parting]), daemon=True).start()


def _end(number: int, parting: list[threading.Event]) -> None:
    last = threading.Timer(SECONDS + _REST, os.kill, (os.getpid(), number))
    last.daemon = True
    last.start()
    until = time.monotonic() + SECONDS
    for parted in parting:
        if not parted.wait(max(0.0, until - time.monotonic())):
            logs.client.error("the process ends by a signal, and not every good-bye was said in time")
            break
    for finish in _finishing:
        finish()
    os.kill(os.getpid(), number)


def _in_child() -> None:
    """A fork has copies of its parent's clients, but nothing that runs them."""
    _parties.clear()
    _drains.clear()
    _wishes.clear()


os.register_at_fork(after_in_child=_in_child)
