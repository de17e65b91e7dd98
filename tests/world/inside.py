"""What the world looks at inside a session. The only place of these tests that knows private names."""

from collections.abc import Collection

from telnyx_core import Timer
from telnyx_core._call.call import Call
from telnyx_core._call.microphone import Phase
from telnyx_core._signalling.requests import Purpose
from telnyx_core.ids import CallId
from telnyx_core.session import Session
from telnyx_core.states import ESTABLISHED, CallState, SessionState
from tests.inside import hub_of

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
    return list(hub_of(session).calls.values())


def pending_ids(session: Session) -> list[str]:
    """The ids of the requests that wait for a reply, oldest first."""
    return list(hub_of(session).link.requests.pending)


def no_request_without_deadline(session: Session) -> None:
    timers = hub_of(session).timers
    for ident, pending in hub_of(session).link.requests.pending.items():
        if pending.purpose is Purpose.PROBE:  # judged by the health check (SIG-066)
            assert hub_of(session).link.liveness.monitor.probed_at is not None, f"nobody waits for the probe {ident}"
            assert timers.is_set(Timer.HEALTH_CHECK), "a probe that nothing will judge"
        else:
            assert timers.is_set(Timer.REQUEST, ident), f"{pending.method} has no deadline"


def no_timer_without_owner(session: Session) -> None:
    pending = hub_of(session).link.requests.pending
    for timer, owner in hub_of(session).timers.armed:
        if timer is Timer.REQUEST:
            assert owner in pending, f"the deadline of a request that is settled: {owner}"
        elif timer in _OF_UPLOADS:
            assert owner.key in hub_of(session).uploads.working, f"{timer.name} of a call that uploads nothing"
        elif timer is Timer.UPLOADS_END:
            assert session.uploading, "a limit for reports of which none is on its way"
        elif timer in _OF_PEERS:
            assert owner in hub_of(session).media, f"{timer.name} of peer {owner}, which is closed"
        elif owner is None:
            assert session.state in _STATES_OF[timer], f"{timer.name} while the session is {session.state.value}"
        else:
            call = hub_of(session).calls.get(owner)
            assert call is not None, f"{timer.name} of call {owner}, which has ended"
            ending = timer in _OF_ENDING_CALLS
            assert (call.state is CallState.HANGUP) is ending, f"{timer.name} of a call that is {call.state.value}"
            asked = timer is not Timer.MEDIA_RECOVERY or call.microphone.phase is Phase.WAITING
            assert asked, f"the deadline of a question about the microphone of call {owner} that is not open"


def peers_belong_to_calls(session: Session) -> None:
    """Three at most: the one in use, the one it replaced, the one that is to replace it."""
    for media, call in hub_of(session).media.items():
        assert hub_of(session).calls.get(call.id) is call, f"peer {media} of call {call.id}, which has ended"
        read_once_more = hub_of(session).timers.is_set(Timer.LAST_READING, call.id)
        assert call.live or read_once_more, f"peer {media} of a call that is {call.state.value}"
    for call in calls_of(session):
        held = [media for media, owner in hub_of(session).media.items() if owner is call]
        assert len(held) <= 3, f"call {call.id} has the peers {held}"


def bounded_by_the_living(session: Session) -> None:
    """Nothing grows with the age of a session but what has a bound of its own."""
    assert len(hub_of(session).link.requests.pending) <= 16_384
    assert len(hub_of(session).tombstones) <= 8_192
    uploads = hub_of(session).uploads
    assert len(uploads.working) <= 32
    assert all(len(queue.waiting) <= 8 for queue in uploads.queues.values())
    assert len(hub_of(session).timers.heap) <= 64 + 2 * len(hub_of(session).timers.armed)


def something_ends_every_passing_state(session: Session, owed: Collection[str]) -> None:
    """No session and no call stays in a passing state unless a deadline, a request or the media engine will end it.

    ``owed``: the calls for which the engine owes something. Ringing, talking and being at rest may last.
    """
    timers, link = hub_of(session).timers, hub_of(session).link
    gathering = {hub_of(session).media[owner].id for timer, owner in timers.armed if timer in _OF_PEERS}
    asked = {(pending.purpose, pending.call) for pending in link.requests.pending.values()}
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
    link = hub_of(session).link
    for call in calls_of(session):
        peer, media = call.media.peer, call.media
        if call.state in ESTABLISHED and media.answered and peer is not None and not peer.alive and link.connected:
            again = hub_of(session).timers.is_set(Timer.CONNECT_LIMIT, call.id)
            doubted = call.id in link.liveness.monitor.waiting
            assert not media.renewal.idle or again or doubted, f"the media of call {call.id} is given up"


def calm(session: Session) -> bool:
    """Only what goes on as long as a session or a call does is still arranged."""
    going_on = {Timer.HEALTH_CHECK, Timer.KEEPALIVE, Timer.STATS, Timer.TOKEN_EXPIRY}
    asked = {pending.purpose for pending in hub_of(session).link.requests.pending.values()}
    return {timer for timer, _ in hub_of(session).timers.armed} <= going_on and asked <= {Purpose.PROBE}


def has_tombstone(session: Session, call: str) -> bool:
    """The call has ended here, and the server may still speak of it."""
    stone = hub_of(session).tombstones.stones.get(CallId(call))
    return stone is not None and hub_of(session).now < stone.until


def not_on_this_socket_yet(session: Session) -> list[str]:
    """The calls that a list of kept calls decides about: made before this socket, neither attached nor kept on it."""
    return [call.id for call in calls_of(session) if call.live and not call.retention.settled_here]


def waits_for_an_attach(session: Session, call: str) -> bool:
    """For a moment, whatever a list says of it."""
    return hub_of(session).timers.is_set(Timer.ATTACH_WAIT, call)


def being_recovered(session: Session, call: str) -> bool:
    """An attach of this socket is being answered."""
    found = hub_of(session).calls.get(CallId(call))
    return found is not None and found.state is CallState.RECOVERING and found.retention.attached_here


def at_rest(session: Session) -> None:
    """A closed session holds nothing (SIG-481)."""
    assert not hub_of(session).timers.armed, f"a closed session waits for {list(hub_of(session).timers.armed)}"
    assert not hub_of(session).calls, f"a closed session has the calls {list(hub_of(session).calls)}"
    assert not hub_of(session).media, f"a closed session has the peers {list(hub_of(session).media)}"
    assert not hub_of(session).link.requests.pending, "a closed session waits for replies"
    assert not session.uploading, "a closed session uploads"
    assert hub_of(session).link.socket is None, "a closed session has a socket"
    assert not hub_of(session).link.login.tickets, "a closed session owes the outcome of a login"
