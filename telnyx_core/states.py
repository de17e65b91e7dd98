"""The states of a session and of a call, and the only edges between them.

**Session** (signaling.md 4.1, 4.2). A session wants a socket or it does not. Wanting one it moves from CONNECTING over
LOGGING_IN and REGISTERING to READY; every loss of the socket ends in BACKOFF or, when nothing more will be tried, in
EXHAUSTED or IDLE. CLOSING is a state of its own, with a deadline, because a close takes time and may never complete.
AUTH_FAILED keeps its socket: the application may log in again on it. A state that is confirmed (T25, and T16 while
REGISTERING) is no move.

**Call** (calls.md section 6). Twelve states with the names of the JS SDK. A call is *live* until HANGUP or PURGE,
and *answered* once it has been ACTIVE or HELD; being answered is remembered, never derived from an order of the
states, because RECOVERING breaks every such order. From EARLY, ACTIVE and HELD no message may move a call
back: those edges are simply absent.

What is not in a table cannot happen: `move_session` and `move_call` raise, also under ``python -O``, for a session in a
state that nothing ends would keep its calls and its socket.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final


class SessionState(Enum):
    IDLE = "idle"
    CONNECTING = "connecting"
    LOGGING_IN = "logging_in"
    REGISTERING = "registering"
    READY = "ready"
    GATEWAY_WAIT = "gateway_wait"
    AUTH_FAILED = "auth_failed"
    CLOSING = "closing"
    BACKOFF = "backoff"
    EXHAUSTED = "exhausted"

    # The enumeration's own is written in Python, and sets of states are asked with every frame.
    __hash__ = object.__hash__


class SessionInput(Enum):
    """What moves a session; the numbers in comments are the rows of signaling.md 4.2."""

    CONNECT = "connect"  # T01, T02, T05
    RELOGIN = "relogin"  # T04, T27
    SOCKET_REFUSED = "socket refused"  # T07
    SOCKET_OPENED = "socket opened"  # T08
    LOGGED_IN = "logged in"  # T09
    LOGIN_REJECTED = "login rejected"  # T10, T11
    REGISTERED = "registered"  # T15, T22, T26
    UNREGISTERED = "unregistered"  # T16
    REGISTRATION_REFUSED = "registration refused"  # T17
    GATEWAY_FAILED = "gateway failed"  # T18
    CLOSE = "close"  # T10b, T12, T19, T20, T24, T28, T29, T31
    LOST_RETRY = "lost, will retry"  # T32
    LOST_EXHAUSTED = "lost, attempts used up"  # T33, T37
    LOST_FINAL = "lost, not to be restored"  # T34, T37, T38
    LOST_REJECTED = "lost after rejected credentials"  # T35
    RETRY = "retry"  # T39, T40
    DISCONNECT = "disconnect"  # T30

    __hash__ = object.__hash__


_S, _I = SessionState, SessionInput

_LOSSES: Final = {
    _I.LOST_RETRY: _S.BACKOFF,
    _I.LOST_EXHAUSTED: _S.EXHAUSTED,
    _I.LOST_FINAL: _S.IDLE,
}

SESSION: Final[Mapping[SessionState, Mapping[SessionInput, SessionState]]] = {
    _S.IDLE: {_I.CONNECT: _S.CONNECTING},
    _S.CONNECTING: {
        _I.SOCKET_REFUSED: _S.EXHAUSTED,
        _I.SOCKET_OPENED: _S.LOGGING_IN,
        _I.DISCONNECT: _S.IDLE,
        **_LOSSES,
    },
    _S.LOGGING_IN: {
        _I.LOGGED_IN: _S.REGISTERING,
        _I.LOGIN_REJECTED: _S.AUTH_FAILED,
        _I.CLOSE: _S.CLOSING,
        **_LOSSES,
    },
    _S.REGISTERING: {
        _I.REGISTERED: _S.READY,
        _I.REGISTRATION_REFUSED: _S.AUTH_FAILED,
        _I.GATEWAY_FAILED: _S.GATEWAY_WAIT,
        _I.RELOGIN: _S.LOGGING_IN,
        _I.CLOSE: _S.CLOSING,
        **_LOSSES,
    },
    _S.READY: {
        _I.UNREGISTERED: _S.REGISTERING,
        _I.GATEWAY_FAILED: _S.GATEWAY_WAIT,
        _I.CLOSE: _S.CLOSING,
        **_LOSSES,
    },
    _S.GATEWAY_WAIT: {_I.REGISTERED: _S.READY, _I.CLOSE: _S.CLOSING, **_LOSSES},
    _S.AUTH_FAILED: {
        _I.CONNECT: _S.CONNECTING,
        _I.RELOGIN: _S.LOGGING_IN,
        _I.REGISTERED: _S.READY,
        _I.GATEWAY_FAILED: _S.GATEWAY_WAIT,
        _I.CLOSE: _S.CLOSING,
        _I.LOST_REJECTED: _S.AUTH_FAILED,
        _I.DISCONNECT: _S.IDLE,
        **_LOSSES,
    },
    _S.CLOSING: {_I.LOST_REJECTED: _S.AUTH_FAILED, **_LOSSES},
    _S.BACKOFF: {
        _I.CONNECT: _S.CONNECTING,
        _I.RETRY: _S.CONNECTING,
        _I.DISCONNECT: _S.IDLE,
    },
    _S.EXHAUSTED: {_I.CONNECT: _S.CONNECTING, _I.DISCONNECT: _S.IDLE},
}


class CallState(Enum):
    NEW = "new"
    REQUESTING = "requesting"
    TRYING = "trying"
    RECOVERING = "recovering"
    RINGING = "ringing"
    ANSWERING = "answering"
    EARLY = "early"
    ACTIVE = "active"
    HELD = "held"
    HANGUP = "hangup"
    DESTROY = "destroy"
    PURGE = "purge"

    __hash__ = object.__hash__


class CallInput(Enum):
    """What moves a call; the ids in comments are rows of calls.md section 6."""

    OFFERED = "offered by the server"  # CALL-340
    INVITE_SENT = "invite sent"  # CALL-313
    INVITE_ACCEPTED = "invite accepted"  # CALL-315
    REMOTE_RINGING = "far end rings"  # CALL-319
    EARLY_MEDIA = "early media applied"  # CALL-321, CALL-325
    ANSWERED = "answered"  # CALL-323, CALL-326, CALL-348, CALL-383
    ANSWER_SENT = "answer sent"  # CALL-347
    HELD = "held by us"  # CALL-361, CALL-383
    UNHELD = "taken up again"  # CALL-361
    LOST = "socket lost"  # an established call shows that it recovers (architecture, settled questions)
    REATTACHED = "attach from the server"  # CALL-374, CALL-381
    RETAINED = "kept without an attach"  # CALL-517
    REOFFERED = "offered again by an attach"  # CALL-538
    END = "hang-up, bye or failure"  # CALL-420, CALL-430
    PURGE = "the session ends"  # CALL-370, CALL-371
    ENDED = "everything released"  # CALL-391

    __hash__ = object.__hash__


_C, _N = CallState, CallInput

_ENDINGS: Final = {_N.END: _C.HANGUP, _N.PURGE: _C.PURGE}
_ATTACHABLE: Final = {_N.REATTACHED: _C.RECOVERING}

CALL: Final[Mapping[CallState, Mapping[CallInput, CallState]]] = {
    _C.NEW: {_N.OFFERED: _C.RINGING, _N.INVITE_SENT: _C.REQUESTING, **_ATTACHABLE, **_ENDINGS},
    _C.REQUESTING: {
        _N.INVITE_ACCEPTED: _C.TRYING,
        _N.REMOTE_RINGING: _C.RINGING,
        _N.EARLY_MEDIA: _C.EARLY,
        _N.ANSWERED: _C.ACTIVE,
        **_ENDINGS,
    },
    _C.TRYING: {
        _N.REMOTE_RINGING: _C.RINGING,
        _N.EARLY_MEDIA: _C.EARLY,
        _N.ANSWERED: _C.ACTIVE,
        **_ATTACHABLE,
        **_ENDINGS,
    },
    _C.RINGING: {
        _N.EARLY_MEDIA: _C.EARLY,
        _N.ANSWERED: _C.ACTIVE,
        _N.ANSWER_SENT: _C.ANSWERING,
        _N.REOFFERED: _C.RINGING,
        **_ATTACHABLE,
        **_ENDINGS,
    },
    _C.ANSWERING: {_N.ANSWERED: _C.ACTIVE, **_ENDINGS},
    _C.EARLY: {_N.ANSWERED: _C.ACTIVE, **_ATTACHABLE, **_ENDINGS},
    _C.ACTIVE: {_N.HELD: _C.HELD, _N.LOST: _C.RECOVERING, **_ATTACHABLE, **_ENDINGS},
    _C.HELD: {_N.UNHELD: _C.ACTIVE, _N.LOST: _C.RECOVERING, **_ATTACHABLE, **_ENDINGS},
    _C.RECOVERING: {
        _N.REATTACHED: _C.RECOVERING,
        _N.ANSWERED: _C.ACTIVE,
        _N.HELD: _C.HELD,
        _N.RETAINED: _C.ACTIVE,
        **_ENDINGS,
    },
    _C.HANGUP: {_N.ENDED: _C.DESTROY},
    _C.PURGE: {_N.END: _C.HANGUP},
    _C.DESTROY: {},
}

LIVE: Final = frozenset(CallState) - {_C.HANGUP, _C.DESTROY, _C.PURGE}
ESTABLISHED: Final = frozenset({_C.ACTIVE, _C.HELD})


def move_session(state: SessionState, given: SessionInput) -> SessionState:
    """The next state. A missing edge is a bug in this package, never a mistake of the application or the server."""
    following = SESSION[state].get(given)
    if following is None:
        raise AssertionError(f"session: {given.value} while {state.value}")
    return following


def move_call(state: CallState, given: CallInput) -> CallState:
    following = CALL[state].get(given)
    if following is None:
        raise AssertionError(f"call: {given.value} while {state.value}")
    return following
