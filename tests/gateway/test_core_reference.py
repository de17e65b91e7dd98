"""The reference client's own frames, recorded, against this gateway.

`reference.jsonl` holds conversations of the published JS SDK 2.27.10 with a scripted gateway, SDP left out. The
client's frames are said again, with the ids that this gateway gave in the place of those that the scripted one gave.
Every request must be granted, and replies and pushes must have at least the members that the recorded ones had.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from telnyx_core.gateway import Assistant, GatewayOptions
from telnyx_core.gateway.events import FrameRejected
from tests.gateway.rig import OFFER, Client, Rig

Frame = dict[str, Any]
CONVERSATIONS = [
    json.loads(line) for line in Path(__file__).with_name("reference.jsonl").read_text(encoding="utf-8").splitlines()
]
OWN = {f"telnyx_rtc.{name}" for name in ("clientReady", "ringing", "media", "answer", "attach")}
"""What the gateway pushes by itself."""
SHAPED = OWN | {f"telnyx_rtc.{name}" for name in ("invite", "bye", "ping")}
"""And what it shapes itself when a command makes it push; other pushes say what the command says."""


class Replay:
    def __init__(self, conversation: Frame) -> None:
        self.steps = conversation["steps"]
        pushes = [frame["method"] for way, _, frame in self.steps if way == "s2c" and "method" in frame]
        early = "telnyx_rtc.media" in pushes
        registration = [
            frame["result"]["params"]["state"]
            for way, _, frame in self.steps
            if way == "s2c" and "params" in frame.get("result", {})
        ]
        options = GatewayOptions(
            token_user=lambda _: "rigclient",
            assistants={"assistant-1234": Assistant()},
            routes={"+15550002222": "early" if early else "echo"},
            registration=tuple(registration) if len(set(registration)) > 1 else ("REGED",),
        )
        self.rig = Rig(options)
        self.clients: dict[int, Client] = {}
        self.names: dict[str, str] = {}
        """What the scripted gateway chose, and what ours chose in its place."""

    def run(self) -> None:
        for way, socket, what in self.steps:
            client = self.clients.get(socket)
            if client is None:
                client = self.clients[socket] = self.rig.connect()
            if way == "lost":
                client.lose(what)
            elif way == "c2s":
                self.said(client, what)
            else:
                self.answered(client, what)

    def said(self, client: Client, frame: Frame) -> None:
        """The client speaks. Its acknowledgements are of what our gateway sent."""
        frame = json.loads(self.renamed(json.dumps(frame)))
        if "method" not in frame:
            for pushed in client.frames:
                if pushed.get("method") == frame["result"]["method"]:
                    client.acknowledge(pushed)
            return
        if "sdp" in frame.get("params", {}):
            frame["params"]["sdp"] = OFFER
        client.send(frame)
        if frame["method"].endswith("login"):
            (reply,) = [reply for reply in client.frames if reply.get("id") == frame["id"]]
            client.sessid = reply["result"]["sessid"]

    def answered(self, client: Client, frame: Frame) -> None:
        """What the scripted gateway said: ours must have said as much, or is made to."""
        if "method" not in frame:
            if "result" in frame:
                self.same_members(frame, [reply for reply in client.frames if reply.get("id") == frame["id"]])
                if "sessid" in frame["result"]:
                    self.names[frame["result"]["sessid"]] = client.sessid
            return
        method = frame["method"]
        if method not in OWN:
            self.make(client, method, frame.get("params", {}))
        if method in SHAPED:
            self.same_members(frame, client.pushed(method))

    def make(self, client: Client, method: str, params: Frame) -> None:
        rig = self.rig
        if method == "telnyx_rtc.invite":
            number, name = params["caller_id_number"], params["caller_id_name"]
            self.names[params["callID"]] = rig.command("call_user", "rigclient", from_number=number, from_name=name)
        elif method == "telnyx_rtc.bye":
            rig.command("hangup", self.names[params["callID"]], cause_name=params["cause"])
        elif method == "telnyx_rtc.ping":
            rig.command("ping", client.socket)
        elif method == "ai_conversation":
            rig.command("ai_event", client.socket, params)
        elif method != "telnyx_rtc.candidate":
            rig.command("push", client.socket, method, json.loads(self.renamed(json.dumps(params))))

    def renamed(self, text: str) -> str:
        for theirs, ours in self.names.items():
            text = text.replace(theirs, ours)
        return text

    def same_members(self, recorded: Frame, ours: list[Frame]) -> None:
        assert ours, f"nothing like {recorded}"
        assert all(like(frame, recorded) for frame in ours), (recorded, ours)


def like(ours: Any, recorded: Any, name: str = "") -> bool:
    """As many members, or more, of the same types, all the way down; lists are not looked into."""
    if name == "id" and not isinstance(recorded, str):
        return type(ours) is type(recorded)
    if isinstance(recorded, dict):
        return isinstance(ours, dict) and all(
            member in ours and like(ours[member], value, member) for member, value in recorded.items()
        )
    return type(ours) is type(recorded)


@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda conversation: conversation["scenario"])
def test_the_reference_client_is_understood(conversation: Frame) -> None:
    replay = Replay(conversation)
    replay.run()
    rejected = replay.rig.told(FrameRejected)
    assert rejected == []


def test_a_difference_would_be_noticed() -> None:
    """The comparison itself."""
    recorded = {"id": 7, "result": {"params": {"state": "REGED"}, "sessid": "s"}}
    assert like({"id": 9, "result": {"params": {"state": "NOREG", "dc": "x"}, "sessid": "t"}}, recorded)
    assert not like({"id": "9", "result": {"params": {"state": "NOREG"}, "sessid": "t"}}, recorded)
    assert not like({"id": 9, "result": {"params": {}, "sessid": "t"}}, recorded)
    assert not like({"id": 9, "result": {"params": {"state": 1}, "sessid": "t"}}, recorded)
