"""What the client for code without ``async`` is built on: commands and events that wait for the client's loop."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Generic, Protocol, TypeAlias, TypeVar, cast, overload

from telnyx_core.events import Event
from telnyx_drivers._arguments import checked, checked_with, function
from telnyx_drivers._calls import CallHandle
from telnyx_drivers._client import Client
from telnyx_drivers._guard import Handler
from telnyx_drivers._listening import E, Listens, N
from telnyx_drivers._threads import Relays, Threads

if TYPE_CHECKING:
    from telnyx_drivers._audio.player import Playback as AsyncPlayback
    from telnyx_drivers._audio.recorder import Recording as AsyncRecording
    from telnyx_drivers._audio.rtp.pcap import Capture as AsyncCapture
    from telnyx_drivers._webrtc.call_audio import CallAudio

S = TypeVar("S", bound=Client | CallHandle)
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_Register: TypeAlias = Callable[[str | type[Event], Handler], object]


class Relayed(Listens[N], Generic[S, N]):
    """A client or a call in other threads than the loop's.

    Commands wait for their outcome, events wait where they are read, and handlers run in the handlers' thread.
    """

    def __init__(self, threads: Threads, source: S) -> None:
        self._threads = threads
        self._source = source
        """The client or the call on the loop."""
        self._relays = Relays(threads)

    def _run(self, command: Callable[[], Awaitable[T]]) -> T:
        """Give a command on the loop, and wait for its outcome."""
        return self._threads.run(command)

    @abstractmethod
    def _do(self, command: Callable[[], T]) -> T:
        """Give a command that is done at once."""

    @checked
    def events(self, timeout: float | None = None) -> Iterator[Event]:
        """Events from now on, until the client is disconnected or the call has ended.

        ``TimeoutError`` when none comes for so long.
        """
        stream = self._threads.touch(self._source.events)
        return map(self._threads.told, self._threads.iterate(stream.__anext__, timeout))

    def _listen(self, event: str | type[Event], handler: Handler, once: bool) -> None:
        relay = self._relays.add(event, handler, once)
        register = cast("_Register", self._source.once if once else self._source.on)
        self._threads.touch(lambda: register(event, relay))

    @checked_with(handler=function("the handler that was given to on()", optional=True))
    def off(self, event: str | type[Event], handler: Handler | None = None) -> None:
        """Take back one registration of ``handler``, or every handler of the event."""
        relay = self._relays.remove(event, handler) if handler is not None else None
        if handler is None or relay is not None:
            self._threads.touch(lambda: self._source.off(event, relay))

    @overload
    def wait_for(
        self, event: type[E], *, timeout: float | None = None, where: Callable[[E], object] | None = None
    ) -> E: ...
    @overload
    def wait_for(
        self, event: str, *, timeout: float | None = None, where: Callable[[Event], object] | None = None
    ) -> Event: ...
    def wait_for(
        self,
        event: str | type[object],
        *,
        timeout: float | None = None,
        where: Callable[..., object] | None = None,
    ) -> Event:
        """The next event of a name or class; of a call, this call's next.

        Raises ``TimeoutError``, `ConnectionFailed` when the session ends first, and of a call `CallEnded` when it does.
        """
        name = cast("str", event)  # or a class: both ways are one
        waiting = partial(self._source.wait_for, name, timeout=timeout, where=where)
        return self._threads.told(self._run(waiting))


def audio_of(call: "CallHandle | Relayed[CallHandle, N]") -> "CallAudio":
    """The audio of a call of either kind. Raises what `CallHandle.audio` raises."""
    if isinstance(call, CallHandle):
        return call.audio
    handle = call._source  # pyright: ignore[reportPrivateUsage]  # its own, of which the application has no need
    return call._do(lambda: handle.audio)  # pyright: ignore[reportPrivateUsage]


class Playback:
    """What `play` returns of `telnyx_drivers.asyncio.CallHandle`, without ``async``."""

    def __init__(self, threads: Threads, playback: "AsyncPlayback") -> None:
        self._threads = threads
        self._playback = playback

    @property
    def position(self) -> float:
        return self._playback.position

    @property
    def heard(self) -> float:
        """Seconds of it that the far end has played by now."""
        return self._playback.heard

    @property
    def ended(self) -> bool:
        return self._playback.ended

    def wait(self) -> None:
        """Until its end; raises what broke it off."""
        self._threads.run(self._playback.wait)

    def stop(self) -> None:
        self._threads.do(self._playback.stop)


class Following(Generic[T]):
    """What a call is asked about all the time, such as its turns: what is known so far, and each as it is known."""

    def __init__(self, threads: Threads, followed: "_Followed[T]") -> None:
        self._threads = threads
        self._followed = followed

    @property
    def so_far(self) -> tuple[T, ...]:
        return self._followed.so_far

    def __iter__(self) -> Iterator[T]:
        return self._threads.iterate(aiter(self._followed).__anext__, None)


class _Followed(Protocol[T_co]):
    @property
    def so_far(self) -> tuple[T_co, ...]: ...

    def __aiter__(self) -> AsyncIterator[T_co]: ...


class _Writing:
    def __init__(self, threads: Threads, file: "AsyncRecording | AsyncCapture") -> None:
        self._threads = threads
        self._file = file

    @property
    def ended(self) -> bool:
        return self._file.ended

    def stop(self) -> None:
        """Complete the file."""
        self._threads.run(self._file.stop)


class Capture(_Writing):
    """What `capture` returns of `telnyx_drivers.asyncio.CallHandle`, without ``async``."""


class Recording(_Writing):
    """What `record` returns of `telnyx_drivers.asyncio.CallHandle`, without ``async``."""
