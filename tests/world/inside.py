"""What the world looks at inside a session. The only place of these tests that knows private names."""

from collections.abc import Collection

from telnyx_core import Timer
from telnyx_core._call.call import Call
from telnyx_core._call.microphone import Phase
from telnyx_core._signalling.requests import Purpose
from telnyx_core.ids import CallId
from telnyx_core.session import Session
from telnyx_core.states import ESTABLISHED, CallState, SessionState

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
    Timer.LOGIN_AGAIN: _WITH_OPEN_SOCKET,
    Timer.SPEED_TEST: _WITH_OPEN_SOCKET,
    Timer.TOKEN_EXPIRY: frozenset(S) - {S.IDLE, S.EXHAUSTED},
}
_OF_ENDING_CALLS = frozenset({Timer.BYE_GUARD, Timer.LAST_READING})
_OF_UPLOADS = frozenset({Timer.UPLOAD_LIMIT, Timer.UPLOAD_AGAIN})
_OF_PEERS = frozenset({Timer.GATHER_WINDOW, Timer.GATHER_SAFETY})


def calls_of(session: Session) -> list[Call]:
    return list(session._hub.calls.values())


def pending_ids(session: Session) -> list[str]:
    """The ids of the requests that wait for a reply, oldest first."""
    return list(session._hub.link._requests._pending)


def no_request_without_deadline(session: Session) -> None:
    timers = session._hub.timers
    for ident, pending in session._hub.link._requests._pending.items():
        if pending.purpose is Purpose.PROBE:  # judged by the health check (SIG-066)
            assert session._hub.link.liveness.monitor.probed_at is not None, f"nobody waits for the probe {ident}"
            assert timers.is_set(Timer.HEALTH_CHECK), "a probe that nothing will judge"
        else:
            assert timers.is_set(Timer.REQUEST, ident), f"{pending.method} has no deadline"


def no_timer_without_owner(session: Session) -> None:
    pending = session._hub.link._requests._pending
    for timer, owner in session._hub.timers._at:
        if timer is Timer.REQUEST:
            assert owner in pending, f"the deadline of a request that is settled: {owner}"
        elif timer in _OF_UPLOADS:
            assert owner.key in session._hub.uploads._working, f"{timer.name} of a call that uploads nothing"
        elif timer is Timer.UPLOADS_END:
            assert session.uploading, "a limit for reports of which none is on its way"
        elif timer in _OF_PEERS:
            assert owner in session._hub.media, f"{timer.name} of peer {owner}, which is closed"
        elif owner is None:
            assert session.state in _STATES_OF[timer], f"{timer.name} while the session is {session.state.value}"
        else:
            call = session._hub.calls.get(owner)
            assert call is not None, f"{timer.name} of call {owner}, which has ended"
            ending = timer in _OF_ENDING_CALLS
            assert (call.state is CallState.HANGUP) is ending, f"{timer.name} of a call that is {call.state.value}"
            asked = timer is not Timer.MEDIA_RECOVERY or call._microphone.phase is Phase.WAITING
            assert asked, f"the deadline of a question about the microphone of call {owner} that is not open"


def peers_belong_to_calls(session: Session) -> None:
    """Three at most: the one in use, the one it replaced, the one that is to replace it."""
    for media, call in session._hub.media.items():
        assert session._hub.calls.get(call.id) is call, f"peer {media} of call {call.id}, which has ended"
        read_once_more = session._hub.timers.is_set(Timer.LAST_READING, call.id)
        assert call.live or read_once_more, f"peer {media} of a call that is {call.state.value}"
    for call in calls_of(session):
        held = [media for media, owner in session._hub.media.items() if owner is call]
        assert len(held) <= 3, f"call {call.id} has the peers {held}"


def bounded_by_the_living(session: Session) -> None:
    """Nothing grows with the age of a session but what has a bound of its own."""
    assert len(session._hub.link._requests._pending) <= 16_384
    assert len(session._hub.tombstones) <= 8_192
    uploads = session._hub.uploads
    assert len(uploads._working) <= 32
    assert all(len(queue.waiting) <= 8 for queue in uploads._queues.values())
    assert len(session._hub.timers._heap) <= 64 + 2 * len(session._hub.timers._at)


def something_ends_every_passing_state(session: Session, owed: Collection[str]) -> None:
    """No session and no call stays in a passing state unless a deadline, a request or the media engine will end it.

    ``owed``: the calls for which the engine owes something. Ringing, talking and being at rest may last.
    """
    timers, link = session._hub.timers, session._hub.link
    gathering = {session._hub.media[owner].id for timer, owner in timers._at if timer in _OF_PEERS}
    asked = {(pending.purpose, pending.call) for pending in link._requests._pending.values()}
    ways_out = {
        S.CONNECTING: timers.is_set(Timer.CONNECT_TIMEOUT),
        S.LOGGING_IN: bool({(Purpose.LOGIN, None), (Purpose.RELOGIN, None)} & asked),
        S.REGISTERING: timers.is_set(Timer.REGISTRATION_WATCH) or timers.is_set(Timer.REG_POLL) or bool(asked),
        S.GATEWAY_WAIT: timers.is_set(Timer.GATEWAY_RETRY),
        S.CLOSING: timers.is_set(Timer.CLOSE_SAFETY),
        S.BACKOFF: timers.is_set(Timer.RECONNECT),
    }
    draining = link.draining and timers.is_set(Timer.DISCONNECT_BYE)
    assert draining or ways_out.get(session.state, True), f"nothing ends {session.state.value}"
    for call in calls_of(session):
        busy = call.id in owed or call.id in gathering
        out = {
            CallState.NEW: busy,
            CallState.REQUESTING: (Purpose.INVITE, call.id) in asked,
            CallState.ANSWERING: (Purpose.ANSWER, call.id) in asked,
            CallState.RECOVERING: busy
            or (Purpose.ATTACH, call.id) in asked
            or timers.is_set(Timer.ATTACH_WAIT, call.id)
            or timers.is_set(Timer.ORPHAN, call.id),
            CallState.HANGUP: timers.is_set(Timer.BYE_GUARD, call.id) or timers.is_set(Timer.LAST_READING, call.id),
        }.get(call.state, True)
        out = out or timers.is_set(Timer.CLOSE_SAFETY)  # The loss of the socket decides.
        assert out, f"nothing ends {call.state.value} of call {call.id}"


def failed_media_is_being_mended(session: Session) -> None:
    """While the socket is up, a failed peer of an answered call is being renewed, or will be looked at again."""
    link = session._hub.link
    for call in calls_of(session):
        peer, media = call.media.peer, call.media
        if call.state in ESTABLISHED and media._answered and peer is not None and not peer.alive and link.connected:
            again = session._hub.timers.is_set(Timer.CONNECT_LIMIT, call.id)
            doubted = call.id in link.liveness.monitor.waiting
            assert not media.renewal.idle or again or doubted, f"the media of call {call.id} is given up"


def calm(session: Session) -> bool:
    """Only what goes on as long as a session or a call does is still arranged."""
    going_on = {Timer.HEALTH_CHECK, Timer.KEEPALIVE, Timer.STATS, Timer.TOKEN_EXPIRY}
    asked = {pending.purpose for pending in session._hub.link._requests._pending.values()}
    return {timer for timer, _ in session._hub.timers._at} <= going_on and asked <= {Purpose.PROBE}


def has_tombstone(session: Session, call: str) -> bool:
    """The call has ended here, and the server may still speak of it."""
    stone = session._hub.tombstones._stones.get(CallId(call))
    return stone is not None and session._hub.now < stone.until


def not_on_this_socket_yet(session: Session) -> list[str]:
    """The calls that a list of kept calls decides about: made before this socket, neither attached nor kept on it."""
    return [call.id for call in calls_of(session) if call.live and not call.retention.settled_here]


def waits_for_an_attach(session: Session, call: str) -> bool:
    """For a moment, whatever a list says of it."""
    return session._hub.timers.is_set(Timer.ATTACH_WAIT, call)


def being_recovered(session: Session, call: str) -> bool:
    """An attach of this socket is being answered."""
    found = session._hub.calls.get(CallId(call))
    return found is not None and found.state is CallState.RECOVERING and found.retention.attached_here


def at_rest(session: Session) -> None:
    """A closed session holds nothing (SIG-481)."""
    assert not session._hub.timers._at, f"a closed session waits for {list(session._hub.timers._at)}"
    assert not session._hub.calls, f"a closed session has the calls {list(session._hub.calls)}"
    assert not session._hub.media, f"a closed session has the peers {list(session._hub.media)}"
    assert not session._hub.link._requests._pending, "a closed session waits for replies"
    assert not session.uploading, "a closed session uploads"
    assert session._hub.link._socket is None, "a closed session has a socket"
    assert not session._hub.link.login._tickets, "a closed session owes the outcome of a login"
