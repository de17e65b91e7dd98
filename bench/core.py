"""What the core costs: CPU microseconds of the bare state machine, text in and actions drained, no network.

```console
python bench/core.py [--quick]
```

Each figure is the median of several rounds; a round repeats its story until the clock can be trusted. The collector
runs as it does in life, from a clean heap. The goals are the project's own; the figures of the reference are the
published JS SDK under Node on the same kind of machine.
"""

import argparse
import gc
import json
from collections.abc import Callable
from random import Random
from statistics import median
from time import process_time

from telnyx_core._wire.json_types import Json
from telnyx_core.actions import Action, OpenPeer, SendText, TakeStats
from telnyx_core.facts import (
    Fact,
    LocalDescribed,
    MediaHeard,
    PeerStateChanged,
    RemoteApplied,
    SocketOpened,
    SourceOpened,
    StatsTaken,
    TextReceived,
)
from telnyx_core.ids import CallId, MediaId, SocketId
from telnyx_core.options import CallOptions, ClientOptions
from telnyx_core.session import Session
from telnyx_core.stats.snapshot import StatsSnapshot

SDP = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n" + "a=candidate:1 1 udp 1 192.0.2.1 9 typ srflx\r\n" * 30
PAST = 100_000
GOALS = {
    "server ping, our ping, its result": 25.0,
    "an info": 15.0,
    "an outbound call": 385.0,
    "an inbound call": 385.0,
}
REFERENCE = {
    "server ping, our ping, its result": "50-60",
    "an info": "30-39",
    "an outbound call": "770",
    "an inbound call": "770",
}


class Bench:
    """A READY session and the least that is needed to play its far end."""

    def __init__(self) -> None:
        self.session = Session(ClientOptions(login_token="a.b.c"), rng=Random(1))
        self.now = 0.0
        self.sent: list[str] = []
        self.media = MediaId(0)
        self.calls = 0
        self.session.connect(now=0.0)
        self.drain()
        self.tell(SocketOpened(SocketId(1), 1_800_000_000.0))
        self.reply({"sessid": "session-1"})
        self.tell(frame("gatewayState", state="REGED"))
        self.sent.clear()

    def drain(self) -> None:
        following = self.session.next_action
        while (action := following()) is not None:
            self.see(action)

    def see(self, action: Action) -> None:
        if isinstance(action, SendText):
            self.sent.append(action.text)
        elif isinstance(action, OpenPeer):
            self.media = action.media
        elif isinstance(action, TakeStats):
            self.tell(StatsTaken(action.media, StatsSnapshot()))

    def tell(self, fact: Fact) -> None:
        self.session.receive(fact, now=self.now)
        self.drain()

    def reply(self, result: dict[str, Json]) -> None:
        """Answer the last request that was sent."""
        ident = json.loads(self.sent[-1])["id"]
        self.tell(TextReceived(SocketId(1), json.dumps({"jsonrpc": "2.0", "id": ident, "result": result})))

    def outbound(self) -> CallId:
        call = self.session.new_call(CallOptions(destination_number="+15551230000"), now=self.now)
        self.drain()
        media = self.media
        self.tell(SourceOpened(media, "line"))
        self.tell(LocalDescribed(media, SDP, complete=True))
        self.reply({"callID": call, "message": "CALL CREATED"})
        self.tell(frame("ringing", callID=call))
        self.tell(frame("answer", callID=call, sdp=SDP))
        self.tell(RemoteApplied(media))
        self.tell(PeerStateChanged(media, "connected"))
        self.tell(MediaHeard(media))
        return call

    def inbound(self) -> CallId:
        self.calls += 1
        call = CallId(f"in-{self.calls}")
        self.tell(frame("invite", callID=call, sdp=SDP, caller_id_number="+15551112222"))
        self.session.answer(call, now=self.now)
        self.drain()
        media = self.media
        self.tell(RemoteApplied(media))
        self.tell(SourceOpened(media, "line"))
        self.tell(LocalDescribed(media, SDP, complete=True))
        self.reply({"callID": call})
        self.tell(PeerStateChanged(media, "connected"))
        self.tell(MediaHeard(media))
        return call

    def hangup(self, call: CallId) -> None:
        self.tell(frame("bye", callID=call, cause="NORMAL_CLEARING", causeCode=16))

    # One story each. Frames are made beforehand where they can be: building them is the far end's work.

    def ping(self) -> None:
        self.tell(PING)
        ident = self.sent[-1][23:59]
        self.tell(TextReceived(SocketId(1), PONG.replace("?", ident)))

    def info(self) -> None:
        self.tell(INFO)

    def unknown(self) -> None:
        self.tell(UNKNOWN)

    def outbound_call(self) -> None:
        self.hangup(self.outbound())

    def inbound_call(self) -> None:
        self.hangup(self.inbound())


def frame(method: str, **params: Json) -> TextReceived:
    """A request of the server."""
    text = {"jsonrpc": "2.0", "id": 7, "method": f"telnyx_rtc.{method}", "params": params, "voice_sdk_id": "V1"}
    return TextReceived(SocketId(1), json.dumps(text))


PING = frame("ping", serno=1)
PONG = '{"jsonrpc":"2.0","id":"?","result":{"message":"PONG","sessid":"session-1"},"voice_sdk_id":"V1"}'
INFO = frame("info", msg={"from": "alice", "to": "bob", "body": "hello"})
UNKNOWN = frame("nonsense", x=1)


def cost(bench: Bench, story: Callable[[], None], *, rounds: int, repeat: int) -> float:
    """CPU microseconds of one telling of the story."""
    story()
    found: list[float] = []
    for _ in range(rounds):
        bench.sent.clear()
        gc.collect()
        begun = process_time()
        for _ in range(repeat):
            story()
        found.append((process_time() - begun) / repeat * 1e6)
    return median(found)


def verdict(story: str, microseconds: float) -> str:
    goal = GOALS.get(story)
    if goal is None:
        return ""
    word = "met" if microseconds <= goal else "MISSED"
    return f"goal {goal:.0f}: {word} (reference {REFERENCE[story]})"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the bare core.")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions: a look, not a measurement")
    quick = parser.parse_args().quick
    rounds, repeat, past = (3, 200, 1_000) if quick else (9, 2_000, PAST)

    bench = Bench()
    print(f"{'story':<36}{'µs':>8}")
    stories = {
        "server ping, our ping, its result": bench.ping,
        "an info": bench.info,
        "an unknown method": bench.unknown,
        "an outbound call": bench.outbound_call,
        "an inbound call": bench.inbound_call,
    }
    for name, story in stories.items():
        few = repeat // 10 if "call" in name else repeat
        microseconds = cost(bench, story, rounds=rounds, repeat=few)
        print(f"{name:<36}{microseconds:>8.1f}  {verdict(name, microseconds)}")

    print(f"\n{'with live calls':<20}{'ping':>8}{'info':>8}{'a call':>8}")
    crowd = Bench()
    live = 0
    for wanted in (1, 10, 100, 1_000):
        while live < wanted:
            crowd.outbound()
            live += 1
        show(f"{wanted}", crowd, rounds, repeat)

    print(f"\n{'after past calls':<20}{'ping':>8}{'info':>8}{'a call':>8}")
    old = Bench()
    for done in range(past + 1):
        if done in (0, past // 10, past):
            show(f"{done}", old, rounds, repeat)
        old.outbound_call()
        old.now += 0.02
        old.session.handle_timeout(now=old.now)
        old.drain()
        old.sent.clear()
        if done % 100 == 0:
            old.ping()


def show(label: str, bench: Bench, rounds: int, repeat: int) -> None:
    stories = ((bench.ping, repeat), (bench.info, repeat), (bench.outbound_call, repeat // 10))
    figures = [cost(bench, story, rounds=rounds, repeat=times) for story, times in stories]
    print(f"{label:<20}" + "".join(f"{figure:>8.1f}" for figure in figures))


if __name__ == "__main__":
    main()
