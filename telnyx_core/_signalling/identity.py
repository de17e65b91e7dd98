"""What survives a socket, and with a store also a process: routing token, session id, call markers (SIG-230)."""

from collections.abc import Iterable

from attrs import define, field, frozen

from telnyx_core._options.parsing import finite
from telnyx_core._options.values import CustomHeader
from telnyx_core._signalling import messages as m
from telnyx_core._time import timeouts
from telnyx_core._time.limits import MAX_LIVE_CALLS, MAX_MARKED_CHARS, MAX_NAME_CHARS
from telnyx_core._wire.codec import identifier, string
from telnyx_core._wire.json_types import Json, JsonObject, JsonView


@frozen
class CallMarker:
    """A call that a later process may be offered again (SIG-316): no SDP, no credential."""

    id: str
    held: bool
    headers: tuple[CustomHeader, ...] = field(default=(), repr=False)
    """The server may not say them again when it attaches the call to another process."""
    force_relay: bool | None = None
    """The call's own option; ``None``: the client's option applies."""

    def entry(self) -> JsonObject:
        """As it is remembered."""
        entry: JsonObject = {"id": self.id, "held": self.held}
        room, kept = MAX_MARKED_CHARS, list[CustomHeader]()
        for header in self.headers:
            room -= len(header.name) + len(header.value)
            if room < 0:
                break
            kept.append(header)
        if kept:
            entry["custom_headers"] = m.header_list(kept)
        if self.force_relay is not None:
            entry["force_relay_candidate"] = self.force_relay
        return entry


@define
class Identity:
    """The identity of one session object; never shared with another one (SIG-230)."""

    voice_sdk_id: str | None = field(default=None, repr=False)
    session_id: str | None = None
    stamped_at: float | None = None
    """Monotonic time of the last proof that the session id is good (SIG-231)."""
    markers: tuple[CallMarker, ...] = ()
    skip_last_once: bool = False
    """Route the next sockets elsewhere, until a registration succeeds (SIG-222)."""
    dirty: bool = False
    outgoing: bool = False
    """The identity is given up, but its socket still lives. The next socket and the store start without it."""
    _stored_at: float | None = None
    _markers_at: float | None = None

    @classmethod
    def recalled(cls, remembered: JsonView | None) -> "Identity":
        """From what a former process remembered; anything malformed counts as absent."""
        if remembered is None:
            return cls()
        identity = cls(identifier(remembered, "voice_sdk_id"), identifier(remembered, "session_id"))
        identity._stored_at = _number(remembered, "session_id_stored_at")
        identity._markers_at = identity._stored_at
        calls = remembered.get("calls")
        if isinstance(calls, list):
            identity.markers = tuple(
                CallMarker(
                    ident,
                    entry.get("held") is True,
                    m.custom_headers({"dialogParams": entry}),
                    relay if isinstance(relay := entry.get("force_relay_candidate"), bool) else None,
                )
                for entry in calls[:MAX_LIVE_CALLS]
                if isinstance(entry, dict)
                and (ident := string(entry, "id")) is not None
                and len(ident) <= MAX_NAME_CHARS
            )
        return identity

    def set_wall(self, wall: float, now: float) -> None:
        """Epoch time is known now, so the age of the former process's stamp can be computed."""
        if self._stored_at is not None:
            self.stamped_at = now - max(0.0, wall - self._stored_at)
            self._stored_at = None
        if self._markers_at is not None:
            if wall - self._markers_at > timeouts.MARKER_AGE:
                self.markers = ()
            self._markers_at = None

    def take_token(self, voice_sdk_id: str | None) -> None:
        """Any frame of the server may bring a new routing token (SIG-057)."""
        if voice_sdk_id is not None and voice_sdk_id != self.voice_sdk_id:
            self.voice_sdk_id = voice_sdk_id
            self.dirty = True

    def logged_in(self, session_id: str | None, now: float) -> None:
        """A login succeeded. A result without a session id keeps the one we have (SIG-118). A different id is another
        session, whose calls are not ours (SIG-331).
        """
        if session_id is not None and session_id != self.session_id:
            self.session_id, self.markers = session_id, ()
        if self.session_id is not None:
            self.stamp(now)

    def stamp(self, now: float) -> None:
        self.stamped_at = now
        self.dirty = True

    def resumable(self, now: float, *, wanted: bool = False) -> str | None:
        """The session id if the server may still hold its calls; a stale one is forgotten (SIG-232).

        ``wanted``: there is a call to come back to. Then its age does not matter: the server takes any id, a stale one
        costs nothing, and a missing one costs the call (PS-002).
        """
        if self.session_id is None or self.stamped_at is None or wanted:
            return self.session_id if wanted else None
        if now - self.stamped_at > timeouts.SESSION_FRESH:
            self.session_id, self.stamped_at, self.dirty = None, None, True
            return None
        return self.session_id

    def forget_session(self, *, token: bool) -> None:
        if self.session_id is not None or self.markers or (token and self.voice_sdk_id is not None):
            self.dirty = True
        self.session_id, self.stamped_at, self.markers = None, None, ()
        if token:
            self.voice_sdk_id = None

    def marker(self, call: str) -> CallMarker | None:
        """The marker of a call that has not come back yet."""
        return next((marker for marker in self.markers if marker.id == call), None)

    def leave(self, calls: Iterable[CallMarker]) -> None:
        """These calls are left to a later socket, of this process or of another (SIG-316)."""
        self.markers = (*self.markers, *calls)
        self.dirty = True

    def claim(self, call: str) -> None:
        """The call has come back, or cannot any more: remove its marker."""
        left = tuple(marker for marker in self.markers if marker.id != call)
        self.dirty = self.dirty or len(left) < len(self.markers)
        self.markers = left

    def give_up(self, *, at_once: bool) -> None:
        """Forget the token and the session, from the next socket on (SIG-234)."""
        self.outgoing = self.dirty = True
        if at_once:
            self.begin_socket()

    def begin_socket(self) -> None:
        if self.outgoing:
            self.outgoing = False
            self.forget_session(token=True)

    def record(self, calls: Iterable[CallMarker], now: float, wall: float) -> JsonObject:
        """What to remember, in the store's shape, with the live calls. Times are epoch seconds.

        Markers of calls that have not come back yet are kept for the next process, in case this one dies (SIG-317).
        """
        self.dirty = False
        if self.outgoing:
            return {}
        entries: list[Json] = [marker.entry() for marker in (*calls, *self.markers)]
        record: JsonObject = {}
        if self.voice_sdk_id is not None:
            record["voice_sdk_id"] = self.voice_sdk_id
        if self.session_id is not None and self.stamped_at is not None:
            record["session_id"] = self.session_id
            record["session_id_stored_at"] = wall - (now - self.stamped_at)
            if entries:
                record["calls"] = entries
        return record


def _number(members: JsonView, name: str) -> float | None:
    return finite(members.get(name))
