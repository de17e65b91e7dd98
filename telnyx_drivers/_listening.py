"""Registration of handlers, typed by the event's name and by its class.

A checker knows from ``client.on("telnyx.ready", handler)`` that the handler takes a `Ready`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Generic, Literal, Protocol, TypeAlias, TypeVar, cast, overload

from telnyx_core.events import (
    AiConversation,
    DigitReceived,
    ErrorRaised,
    Event,
    FrameIgnored,
    IceServerFailed,
    MediaRecovery,
    MediaStarted,
    ParticipantData,
    PeerConnectionFailure,
    Ready,
    ServerEvent,
    SessionClosed,
    SocketClose,
    SocketError,
    SocketMessage,
    SocketOpen,
    StatsFrame,
    StatsReport,
    ToneChanged,
    TranscriptUpdated,
    UserMediaError,
    WarningRaised,
)
from telnyx_drivers._arguments import ARGUMENTS
from telnyx_drivers._guard import Handler

E = TypeVar("E", bound=Event)
E_inv = TypeVar("E_inv")
N = TypeVar("N")
"""What ``telnyx.notification`` of type ``callUpdate`` is: its call has the commands of the client's own kind."""

Heard: TypeAlias = Callable[[E_inv], object] | Callable[[], object]
"""A handler: it takes the event, or nothing. What it returns is awaited where it can be."""


class Decorator(Protocol[E_inv]):
    def __call__(self, handler: Heard[E_inv], /) -> Heard[E_inv]: ...


class On(Protocol[N]):
    """Register a handler for a name (``"telnyx.ready"``) or a class (`Ready`); without a handler, a decorator.

    Handlers run in the order of their registration, after all actions of the event have been performed, so
    that they may give any command. An awaitable that one returns runs in a task of its own. What they raise goes
    to the loop's exception handler and to `logging`, and changes nothing. Returns the handler, which ``off`` takes.

    Raises ``ValueError`` for a name that does not exist, ``TypeError`` for what cannot be called.
    """

    @overload
    def __call__(self, event: Literal["telnyx.ready"], handler: Heard[Ready]) -> Heard[Ready]: ...
    @overload
    def __call__(self, event: Literal["telnyx.ready"]) -> Decorator[Ready]: ...
    @overload
    def __call__(self, event: Literal["telnyx.error"], handler: Heard[ErrorRaised]) -> Heard[ErrorRaised]: ...
    @overload
    def __call__(self, event: Literal["telnyx.error"]) -> Decorator[ErrorRaised]: ...
    @overload
    def __call__(self, event: Literal["telnyx.warning"], handler: Heard[WarningRaised]) -> Heard[WarningRaised]: ...
    @overload
    def __call__(self, event: Literal["telnyx.warning"]) -> Decorator[WarningRaised]: ...
    @overload
    def __call__(
        self, event: Literal["telnyx.notification"], handler: Heard[N | ParticipantData | ServerEvent | UserMediaError]
    ) -> Heard[N | ParticipantData | ServerEvent | UserMediaError]: ...
    @overload
    def __call__(
        self, event: Literal["telnyx.notification"]
    ) -> Decorator[N | ParticipantData | ServerEvent | UserMediaError]: ...
    @overload
    def __call__(
        self, event: Literal["telnyx.media.recovery"], handler: Heard[MediaRecovery]
    ) -> Heard[MediaRecovery]: ...
    @overload
    def __call__(self, event: Literal["telnyx.media.recovery"]) -> Decorator[MediaRecovery]: ...
    @overload
    def __call__(
        self, event: Literal["telnyx.rtc.peerConnectionFailureError"], handler: Heard[PeerConnectionFailure]
    ) -> Heard[PeerConnectionFailure]: ...
    @overload
    def __call__(self, event: Literal["telnyx.rtc.peerConnectionFailureError"]) -> Decorator[PeerConnectionFailure]: ...
    @overload
    def __call__(self, event: Literal["telnyx.media.started"], handler: Heard[MediaStarted]) -> Heard[MediaStarted]: ...
    @overload
    def __call__(self, event: Literal["telnyx.media.started"]) -> Decorator[MediaStarted]: ...
    @overload
    def __call__(self, event: Literal["telnyx.stats.frame"], handler: Heard[StatsFrame]) -> Heard[StatsFrame]: ...
    @overload
    def __call__(self, event: Literal["telnyx.stats.frame"]) -> Decorator[StatsFrame]: ...
    @overload
    def __call__(self, event: Literal["telnyx.stats.report"], handler: Heard[StatsReport]) -> Heard[StatsReport]: ...
    @overload
    def __call__(self, event: Literal["telnyx.stats.report"]) -> Decorator[StatsReport]: ...
    @overload
    def __call__(
        self, event: Literal["telnyx.ice.serverFailed"], handler: Heard[IceServerFailed]
    ) -> Heard[IceServerFailed]: ...
    @overload
    def __call__(self, event: Literal["telnyx.ice.serverFailed"]) -> Decorator[IceServerFailed]: ...
    @overload
    def __call__(self, event: Literal["telnyx.digit"], handler: Heard[DigitReceived]) -> Heard[DigitReceived]: ...
    @overload
    def __call__(self, event: Literal["telnyx.digit"]) -> Decorator[DigitReceived]: ...
    @overload
    def __call__(self, event: Literal["telnyx.tone"], handler: Heard[ToneChanged]) -> Heard[ToneChanged]: ...
    @overload
    def __call__(self, event: Literal["telnyx.tone"]) -> Decorator[ToneChanged]: ...
    @overload
    def __call__(self, event: Literal["telnyx.socket.open"], handler: Heard[SocketOpen]) -> Heard[SocketOpen]: ...
    @overload
    def __call__(self, event: Literal["telnyx.socket.open"]) -> Decorator[SocketOpen]: ...
    @overload
    def __call__(self, event: Literal["telnyx.socket.close"], handler: Heard[SocketClose]) -> Heard[SocketClose]: ...
    @overload
    def __call__(self, event: Literal["telnyx.socket.close"]) -> Decorator[SocketClose]: ...
    @overload
    def __call__(self, event: Literal["telnyx.socket.error"], handler: Heard[SocketError]) -> Heard[SocketError]: ...
    @overload
    def __call__(self, event: Literal["telnyx.socket.error"]) -> Decorator[SocketError]: ...
    @overload
    def __call__(
        self, event: Literal["telnyx.socket.message"], handler: Heard[SocketMessage]
    ) -> Heard[SocketMessage]: ...
    @overload
    def __call__(self, event: Literal["telnyx.socket.message"]) -> Decorator[SocketMessage]: ...
    @overload
    def __call__(
        self, event: Literal["telnyx.socket.ignored"], handler: Heard[FrameIgnored]
    ) -> Heard[FrameIgnored]: ...
    @overload
    def __call__(self, event: Literal["telnyx.socket.ignored"]) -> Decorator[FrameIgnored]: ...
    @overload
    def __call__(
        self, event: Literal["telnyx.ai.conversation"], handler: Heard[AiConversation]
    ) -> Heard[AiConversation]: ...
    @overload
    def __call__(self, event: Literal["telnyx.ai.conversation"]) -> Decorator[AiConversation]: ...
    @overload
    def __call__(
        self, event: Literal["telnyx.ai.transcript"], handler: Heard[TranscriptUpdated]
    ) -> Heard[TranscriptUpdated]: ...
    @overload
    def __call__(self, event: Literal["telnyx.ai.transcript"]) -> Decorator[TranscriptUpdated]: ...
    @overload
    def __call__(self, event: Literal["telnyx.closed"], handler: Heard[SessionClosed]) -> Heard[SessionClosed]: ...
    @overload
    def __call__(self, event: Literal["telnyx.closed"]) -> Decorator[SessionClosed]: ...
    @overload
    def __call__(
        self, event: Literal["telnyx.messages", "telnyx.calls", "telnyx.rtc.mediaError"], handler: Heard[Event]
    ) -> Heard[Event]: ...
    @overload
    def __call__(
        self, event: Literal["telnyx.messages", "telnyx.calls", "telnyx.rtc.mediaError"]
    ) -> Decorator[Event]: ...
    @overload
    def __call__(self, event: type[E], handler: Heard[E]) -> Heard[E]: ...
    @overload
    def __call__(self, event: type[E]) -> Decorator[E]: ...


class Listens(ABC, Generic[N]):
    """Base with `on` and `once` for objects that keep handlers."""

    @abstractmethod
    def _listen(self, event: str | type[Event], handler: Handler, once: bool) -> None: ...

    @property
    def on(self) -> On[N]:
        return cast("On[N]", partial(self._register, once=False))

    @property
    def once(self) -> On[N]:
        """As `on`, for the next such event only."""
        return cast("On[N]", partial(self._register, once=True))

    def on_transcript(self, handler: Heard[TranscriptUpdated]) -> Heard[TranscriptUpdated]:
        """Hear what is said between the caller and an AI assistant, as it is put together; also a decorator.

        The same as ``on("telnyx.ai.transcript", handler)``.
        """
        return self.on(TranscriptUpdated, handler)

    def _register(self, event: str | type[Event], handler: Handler | None = None, *, once: bool) -> object:
        ARGUMENTS["event"]("event", event)
        if handler is None:
            return partial(self._register, event, once=once)
        ARGUMENTS["handler"]("handler", handler)
        self._listen(event, handler, once)
        return handler
