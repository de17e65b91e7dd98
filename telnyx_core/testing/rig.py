"""A session on a rig: what the application asks, and calls brought to a state in one line.

For tests that read as their story, yours as much as this project's own: say what happens, look at what came of it.

```python
def test_a_busy_line_ends_the_call() -> None:
    rig = Rig.registered()
    call = rig.outbound("trying")
    rig.request("bye", callID=call, cause="USER_BUSY", causeCode=17)
    assert rig.states(call) == ["new", "requesting", "trying", "hangup", "destroy"]
```

The clock, the record, and what the far end and the media engine may say are those of `telnyx_core.testing.scripted`.
"""

from typing import Literal, TypeAlias

from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core.ids import CallId
from telnyx_core.options import CallOptions
from telnyx_core.testing.scripted import LOCAL_SDP, REATTACH_SDP, REMOTE_SDP, FixedDice, Stage, Where
from telnyx_core.testing.wire import EPOCH

__all__ = ["EPOCH", "LOCAL_SDP", "REATTACH_SDP", "REMOTE_SDP", "FixedDice", "Rig"]

Outbound: TypeAlias = Literal["new", "requesting", "trying", "ringing", "early", "active", "held"]
Inbound: TypeAlias = Literal["ringing", "answering", "active", "held"]


class Rig(Stage):
    """`Stage`, with whole calls. Keywords are options of the client. Tickets are settled in ``outcomes``."""

    # Calls, step by step.

    def dial(self, number: str = "echo", **options: object) -> CallId:
        """Place a call: its peer is ordered, nothing is sent yet. Keywords are options of the call."""
        given = CallOptions.from_mapping({"destination_number": number, **options})
        call = self.session.new_call(given, now=self.now)
        self.drain()
        return call

    def invite(self, number: str = "echo", **options: object) -> CallId:
        """Place a call whose media is quick: the invite is sent."""
        call = self.dial(number, **options)
        if self.ledger.peers[self._peer(call)].config.send_audio:
            self.media_ok(call)
        self.describe(at=call)
        return call

    def outbound(self, until: Outbound = "active", number: str = "echo", **options: object) -> CallId:
        """A call of ours, brought to a state. An active one has a connected peer."""
        if until == "new":
            return self.dial(number, **options)
        call = self.invite(number, **options)
        if until == "requesting":
            return call
        self.reply("invite", {"callID": call, "message": "CALL CREATED"}, call=call)
        if until == "trying":
            return call
        self.request("ringing", callID=call)
        if until == "ringing":
            return call
        if until == "early":
            self.request("media", callID=call, sdp=REMOTE_SDP)
            self.remote_applied(call)
            return call
        self.request("answer", callID=call, sdp=REMOTE_SDP)
        self.remote_applied(call)
        self.peer("connected", call)
        if until == "held":
            self.hold(call)
            self.reply("modify", {"holdState": "held"}, call=call)
        return call

    def ring(self, call: str = "b1c2", sdp: str | None = REMOTE_SDP, **params: Json) -> CallId:
        """The far end calls."""
        self.request("invite", **_offer(call, sdp, params))
        return CallId(call)

    def attach(self, call: str, sdp: str | None = REATTACH_SDP, **params: Json) -> int:
        """The far end attaches a call; returns the id of its request."""
        return self.request("attach", **_offer(call, sdp, params))

    def describe_answer(self, at: Where = None) -> None:
        """The media of an answer is quick: offer applied, source open, description made."""
        self.remote_applied(at)
        self.media_ok(at)
        self.describe(at=at)

    def inbound(self, until: Inbound = "ringing", call: str = "b1c2", **params: Json) -> CallId:
        """A call of theirs, brought to a state."""
        ident = CallId(call)
        self.request("invite", **_offer(call, REMOTE_SDP, params))
        if until == "ringing":
            return ident
        self.answer(ident)
        self.describe_answer(ident)
        if until == "answering":
            return ident
        self.reply("answer", {"callID": call}, call=ident)
        self.peer("connected", ident)
        if until == "held":
            self.hold(ident)
            self.reply("modify", {"holdState": "held"}, call=ident)
        return ident


def _offer(call: str, sdp: str | None, params: JsonObject) -> JsonObject:
    return {"callID": call, **({} if sdp is None else {"sdp": sdp}), **params}
