"""What the server still knows of a call whose socket was lost, and how long the call waits to hear of it.

The server keeps an answered call for a while without its socket. On the next one it lists the calls that it kept, and
offers new media for each (`attach`). A call that it does not name in time is given up (SIG-320 to SIG-328).
"""

from enum import Enum, auto

from telnyx_core._call_host import CallHost
from telnyx_core._time import timeouts
from telnyx_core._time.timers import Timer
from telnyx_core.ids import CallId


class Unattached(Enum):
    """What becomes of a call when the wait for its attach is over."""

    KEPT = auto()
    """The server kept it, and its media still flows: nothing has to be offered anew."""
    WAITING = auto()
    GIVEN_UP = auto()


class Retention:
    def __init__(self, ident: CallId, host: CallHost) -> None:
        self._id = ident
        self._host = host
        self._created_on = host.generation
        self._attached_on = 0
        self._named_on = 0
        self._listed_at = 0.0
        self._unnamed_on = 0
        self._until = 0.0

    # On the current socket.

    @property
    def created_here(self) -> bool:
        return self._created_on == self._host.generation

    @property
    def attached_here(self) -> bool:
        return self._attached_on == self._host.generation

    @property
    def named_here(self) -> bool:
        """The server has named the call, so it takes a BYE for it even before the registration (SIG-083)."""
        return self._named_on == self._host.generation

    @property
    def kept_here(self) -> bool:
        """The server may hold the call: it named it, or does not say which calls it kept."""
        return self.named_here or self._unnamed_here

    @property
    def settled_here(self) -> bool:
        """Made, attached or listed, so that a later list of kept calls decides nothing about it."""
        return self.created_here or self.attached_here or self.named_here

    @property
    def _unnamed_here(self) -> bool:
        return self._unnamed_on == self._host.generation

    # What happens.

    def until(self, now: float) -> float:
        """When the server forgets the call if its socket is lost now, or was lost before."""
        return self._until if self._host.timers.is_set(Timer.ORPHAN, self._id) else now + timeouts.ORPHAN

    def lost(self, now: float, *, logged_in: bool) -> None:
        """The socket is lost. The server's time starts again only if we were logged in on that socket."""
        if logged_in or not self._host.timers.is_set(Timer.ORPHAN, self._id):
            self._until = now + timeouts.ORPHAN
            self._host.timers.set(Timer.ORPHAN, self._until, self._id)

    def listed(self, now: float, *, plays: bool) -> None:
        """The server says that it kept this call: its attach has to follow (SIG-326). Once on each socket (SIG-138)."""
        if self.named_here:
            return
        self._named_on, self._listed_at = self._host.generation, now
        self._host.timers.stop(Timer.ORPHAN, self._id)  # the server has said that it keeps the call
        # While media still flows, a missing attach is no fault: after a short wait the call is kept as it is.
        limit = timeouts.RETAIN if plays else timeouts.ATTACH_WAIT
        self._host.timers.set(Timer.ATTACH_WAIT, now + limit, self._id)

    def unnamed(self, now: float, *, plays: bool) -> None:
        """The server does not say which calls it kept (SIG-137, SIG-327). While media still flows, a missing attach is
        no fault here either; without media the call waits as long as the server may keep it.
        """
        self._unnamed_on = self._host.generation
        if plays and not self.settled_here and not self._host.timers.is_set(Timer.ATTACH_WAIT, self._id):
            self._host.timers.set(Timer.ATTACH_WAIT, now + timeouts.RETAIN, self._id)

    def unlisted(self, now: float) -> Unattached:
        """The list of kept calls does not name this call. A server that restores its calls after a crash may send the
        list too early, so the call still waits a little for an attach (PS-005).
        """
        wait = self._host.options.reattach_wait
        unnamed, self._unnamed_on = self._unnamed_here, 0
        if self.settled_here or (not unnamed and self._host.timers.is_set(Timer.ATTACH_WAIT, self._id)):
            return Unattached.WAITING
        if not wait:
            return Unattached.GIVEN_UP
        self._host.timers.set(Timer.ATTACH_WAIT, now + wait, self._id)
        return Unattached.WAITING

    def named(self) -> None:
        """An attach for the call arrives, with or without an offer."""
        self._host.timers.stop(Timer.ORPHAN, self._id)
        self._host.timers.stop(Timer.ATTACH_WAIT, self._id)
        self._named_on = self._host.generation

    def attached(self) -> None:
        """It has an offer."""
        self._attached_on = self._host.generation

    def unattached(self, now: float, *, plays: bool) -> Unattached:
        """No attach came in time. A call that the server did not list is given up, another may be kept as it is, or
        wait longer (SIG-326).
        """
        rest = self._listed_at + timeouts.ATTACH_WAIT
        if self.kept_here and plays:
            self._attached_on = self._host.generation  # no later list decides about it
            return Unattached.KEPT
        if self.kept_here and not self.named_here:
            return Unattached.WAITING  # `Timer.ORPHAN` bounds it
        if self.named_here and now < rest:
            self._host.timers.set(Timer.ATTACH_WAIT, rest, self._id)
            return Unattached.WAITING
        return Unattached.GIVEN_UP

    def orphaned(self, now: float) -> Unattached:
        """The server's time is over. While a login is under way the call waits for what the server says after it."""
        if self._host.connected and not self._host.usable and not self._host.login_refused:
            self._host.timers.set(Timer.ORPHAN, now + timeouts.ORPHAN_AGAIN, self._id)
            return Unattached.WAITING
        return Unattached.GIVEN_UP

    def bound(self, now: float) -> None:
        """A recovery that begins ends within the time for which the server keeps the call, also if it fails."""
        self._host.timers.set(Timer.ORPHAN, now + timeouts.ORPHAN, self._id)
