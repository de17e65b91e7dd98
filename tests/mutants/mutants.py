"""Bugs sown by hand: each is one that somebody might make, and each has to be found by the worlds alone.

`python -m tests.mutants.run` sows them one at a time in a copy of the core and runs the worlds on it. That they can
still be sown is checked with every test run.
"""

from typing import Final

from attrs import frozen


@frozen
class Mutant:
    story: str
    file: str
    """Below ``telnyx_core/``."""
    old: str
    """A text that stands there exactly once."""
    new: str


MUTANTS: Final = (
    Mutant(
        "a replaced peer is left open when its call ends",
        "_call/media_path.py",
        """        self.stop_renewal()
        self._close_old()
        if self.peer is not None:
            self._close(self.peer)
            self.peer = None
""",
        """        self.stop_renewal()
        if self.peer is not None:
            self._close(self.peer)
            self.peer = None
""",
    ),
    Mutant(
        "the deadline of gathering outlives its peer",
        "_call/negotiation.py",
        "            self._timers.stop(Timer.GATHER_SAFETY, self.media)\n            self._act(ClosePeer(self.media))",
        "            self._act(ClosePeer(self.media))",
    ),
    Mutant(
        "news of a replaced socket is believed",
        "_signalling/connection.py",
        "        if fact.socket != self.socket:\n            return\n",
        "        if fact.socket > self.generation:\n            return\n",
    ),
    Mutant(
        "frames are still read while the socket is being closed",
        "_signalling/connection.py",
        "                if self.connected:\n                    self._text(text, now)",
        "                if self._open:\n                    self._text(text, now)",
    ),
    Mutant(
        "a socket that never opens is waited for without end",
        "_signalling/connection.py",
        "        self.timers.set(Timer.CONNECT_TIMEOUT, now + self._patience(now))\n",
        "",
    ),
    Mutant(
        "a socket that never closes is waited for without end",
        "_signalling/connection.py",
        "        self.timers.set(Timer.CLOSE_SAFETY, now + within)\n",
        "",
    ),
    Mutant(
        "requests outlive the socket that they were sent on",
        "_signalling/connection.py",
        '        self._fail_pending("the socket was lost", now)\n',
        "",
    ),
    Mutant(
        "a call that was hung up during an outage is called back to life by the attach",
        "_hub.py",
        """        stone = self.tombstones.find(call, now)
        if stone is None:
            return False
        if stone.owes_bye""",
        """        stone = self.tombstones.find(call, now)
        if stone is None or stone.owes_bye:
            return False
        if stone.owes_bye""",
    ),
    Mutant(
        "calls that the server did not keep stay as ghosts",
        "_hub.py",
        "            else:\n                call.unlisted(now)",
        "            else:\n                pass",
    ),
    Mutant(
        "a kept call whose attach never comes waits for ever",
        "_call/retention.py",
        "        self._host.timers.set(Timer.ATTACH_WAIT, now + limit, self._id)\n",
        "",
    ),
    Mutant(
        "the audio stays with the peer that was replaced",
        "_call/media_path.py",
        """        if self.peer is not None:
            self._host.act(UseMedia(self.peer.media))
        if self._old is not None:""",
        "        if self._old is not None:",
    ),
    Mutant(
        "a peer that fails is only warned about",
        "_call/media_path.py",
        """                self._host.act(Notify(PeerConnectionFailure(self._call, warning)))
                if self.answered:
                    return self._evidence("ice_failed", now)""",
        "                self._host.act(Notify(PeerConnectionFailure(self._call, warning)))",
    ),
    Mutant(
        "the ringtone goes on after the call",
        "_call/call.py",
        """        self._stop_tone()
        self._host.timers.stop_all(self.id)
        self.microphone.finish()""",
        """        self._host.timers.stop_all(self.id)
        self.microphone.finish()""",
    ),
    Mutant(
        "a hold in doubt is left in doubt",
        "_call/hold.py",
        "        self._doubt = self._doubt or self._sent is not None\n",
        "",
    ),
    Mutant(
        "a hold that is waiting when the call ends is never settled",
        "_call/call.py",
        '        self._holds.drop_all(Failure(FailureKind.CALL_ENDED, "the call ended"))\n',
        "",
    ),
    Mutant(
        "TURN credentials go out in every call",
        "_call/parties.py",
        "        return self.dialog(client).params()",
        """        params = self.dialog(client).params()
        params["iceServers"] = [server.credential or "" for server in client.ice_servers or ()]
        return params""",
    ),
    Mutant(
        "digits are refused after the ticket was given out",
        "session.py",
        """        self._require_state("dtmf", found)
        with self._hub.at(now) as now:
            ticket = self._hub.ticket()
""",
        """        with self._hub.at(now) as now:
            ticket = self._hub.ticket()
            self._require_state("dtmf", found)
""",
    ),
    Mutant(
        "remote candidates are used before there is a description",
        "_call/negotiation.py",
        "        if self.remote_in_place:\n            self._act(action)\n        elif",
        "        if self._remote_asked:\n            self._act(action)\n        elif",
    ),
    Mutant(
        "the second attach on one socket begins a second recovery",
        "_hub.py",
        "call.owed or (call.retention.attached_here and call.state is CallState.RECOVERING):",
        "call.owed:",
    ),
    Mutant(
        "the last word of an ended call is said twice",
        "_call/call.py",
        """            if method == m.BYE and self._ending is not None:
                self._ending.destroy(now, confirmed=True)
            return""",
        """            if method == m.BYE and self._ending is not None:
                self.announce()
                self.move(CallInput.ENDED)
                self._ending.destroy(now, confirmed=True)
            return""",
    ),
)
