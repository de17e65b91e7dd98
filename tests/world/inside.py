"""What the world looks at inside a session. The only place of these tests that knows private names."""

from telnyx_core.call import Call
from telnyx_core.requests import Purpose
from telnyx_core.session import Session
from telnyx_core.states import CallState, SessionState
from telnyx_core.timers import Timer

S = SessionState

_WITH_OPEN_SOCKET = frozenset({S.LOGGING_IN, S.REGISTERING, S.READY, S.GATEWAY_WAIT, S.AUTH_FAILED})
_STATES_OF = {
    Timer.CLOSE_SAFETY: frozenset({S.CLOSING}),
    Timer.CONNECT_TIMEOUT: frozenset({S.CONNECTING}),
    Timer.RECONNECT: frozenset({S.BACKOFF}),
    Timer.REG_POLL: frozenset({S.REGISTERING}),
    Timer.REGISTRATION_WATCH: frozenset({S.REGISTERING}),
    Timer.GATEWAY_RETRY: frozenset({S.GATEWAY_WAIT}),
    Timer.HEALTH_CHECK: _WITH_OPEN_SOCKET,
    Timer.KEEPALIVE: _WITH_OPEN_SOCKET,
    Timer.DISCONNECT_BYE: _WITH_OPEN_SOCKET,
    Timer.TOKEN_EXPIRY: frozenset(S) - {S.IDLE, S.EXHAUSTED},
}
_OF_ENDING_CALLS = frozenset({Timer.BYE_GUARD, Timer.LAST_READING})
_OF_PEERS = frozenset({Timer.GATHER_WINDOW, Timer.GATHER_SAFETY})


def calls_of(session: Session) -> list[Call]:
    return list(session._calls.values())


def pending_ids(session: Session) -> list[str]:
    """The ids of the requests that wait for a reply, oldest first."""
    return list(session._link._requests._pending)


def no_request_without_deadline(session: Session) -> None:
    timers = session._timers
    for ident, pending in session._link._requests._pending.items():
        if pending.purpose is Purpose.PROBE:  # judged by the health check (SIG-066)
            assert session._link.liveness.monitor.probed_at is not None, f"nobody waits for the probe {ident}"
            assert timers.is_set(Timer.HEALTH_CHECK), "a probe that nothing will judge"
        else:
            assert timers.is_set(Timer.REQUEST, ident), f"{pending.method} has no deadline"


def no_timer_without_owner(session: Session) -> None:
    pending = session._link._requests._pending
    for timer, owner in session._timers._at:
        if timer is Timer.REQUEST:
            assert owner in pending, f"the deadline of a request that is settled: {owner}"
        elif timer in _OF_PEERS:
            assert owner in session._media, f"{timer.name} of peer {owner}, which is closed"
        elif owner is None:
            assert session.state in _STATES_OF[timer], f"{timer.name} while the session is {session.state.value}"
        else:
            call = session._calls.get(owner)
            assert call is not None, f"{timer.name} of call {owner}, which has ended"
            ending = timer in _OF_ENDING_CALLS
            assert (call.state is CallState.HANGUP) is ending, f"{timer.name} of a call that is {call.state.value}"


def peers_belong_to_calls(session: Session) -> None:
    """Three at most: the one in use, the one it replaced, the one that is to replace it."""
    for media, call in session._media.items():
        assert session._calls.get(call.id) is call, f"peer {media} of call {call.id}, which has ended"
        read_once_more = session._timers.is_set(Timer.LAST_READING, call.id)
        assert call.live or read_once_more, f"peer {media} of a call that is {call.state.value}"
    for call in calls_of(session):
        held = [media for media, owner in session._media.items() if owner is call]
        assert len(held) <= 3, f"call {call.id} has the peers {held}"


def bounded_by_the_living(session: Session) -> None:
    """Nothing grows with the age of a session but what has a bound of its own."""
    assert len(session._link._requests._pending) <= 16_384
    assert len(session._tombstones) <= 8_192
    assert len(session._timers._heap) <= 64 + 2 * len(session._timers._at)


def something_will_end(session: Session, call: Call) -> bool:
    """Of a call that is neither established nor offered: whether a request, a peer's debt or a deadline moves it on."""
    if call.state is CallState.HANGUP:
        return session._timers.is_set(Timer.BYE_GUARD, call.id)
    return True


def at_rest(session: Session) -> None:
    """A closed session holds nothing (SIG-481)."""
    assert not session._timers._at, f"a closed session waits for {list(session._timers._at)}"
    assert not session._calls, f"a closed session has the calls {list(session._calls)}"
    assert not session._media, f"a closed session has the peers {list(session._media)}"
    assert not session._link._requests._pending, "a closed session waits for replies"
    assert session._link._socket is None, "a closed session has a socket"
    assert not session._link.login._tickets, "a closed session owes the outcome of a login"
