"""Microphone failures that an application can answer (media.md section 6): the event, and its callbacks."""

from collections.abc import Callable
from typing import TypeGuard

from attrs import field, frozen

from telnyx_core.events import ErrorRaised, MediaRecovery
from telnyx_core.options import MediaPermissionsRecovery
from telnyx_drivers._calls import CallHandle
from telnyx_drivers._guard import Spawn, run_isolated


@frozen(kw_only=True)
class MediaRecoveryError(ErrorRaised):
    """The ``telnyx.error`` of a microphone that may be tried again; `resume` or `reject` answers it."""

    resume: Callable[[], bool] = field(repr=False, eq=False)
    """Try again; False when it is too late for that."""
    reject: Callable[[], bool] = field(repr=False, eq=False)
    """Give up and end the call; False when it is too late for that."""


class MediaRecoveryFailed(Exception):
    """The argument of ``on_error`` in the media permissions recovery: retry failed, rejected, or timed out."""


def is_media_recovery_error_event(event: object) -> TypeGuard[MediaRecoveryError]:
    """True exactly when the event can be answered with ``resume()`` or ``reject()``."""
    return isinstance(event, MediaRecoveryError) and event.recoverable


isMediaRecoveryErrorEvent = is_media_recovery_error_event  # noqa: N816  # the JavaScript SDK's spelling


def with_recovery_actions(event: ErrorRaised, call: CallHandle) -> MediaRecoveryError:
    return MediaRecoveryError(
        timestamp=event.timestamp,
        error=event.error,
        session_id=event.session_id,
        call=event.call,
        recoverable=True,
        retry_deadline=event.retry_deadline,
        custom_headers=event.custom_headers,
        resume=call.resume_media,
        reject=call.reject_media,
    )


def call_back(options: MediaPermissionsRecovery, outcome: MediaRecovery, spawn: Spawn) -> None:
    """``onSuccess`` or ``onError``."""
    if outcome.recovered:
        if options.on_success is not None:
            run_isolated(options.on_success, spawn)
    elif options.on_error is not None:
        run_isolated(options.on_error, spawn, MediaRecoveryFailed(outcome.reason))
