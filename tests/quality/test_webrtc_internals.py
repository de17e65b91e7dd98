"""Dumps for the tools that read those of ``chrome://webrtc-internals``."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from telnyx_core.testing.wire import EPOCH
from telnyx_drivers._tools.cli.app import app
from telnyx_drivers._tools.export.webrtc_internals import dump_file
from tests.quality import test_debug as debugged
from tests.quality.journals import keep_journal
from tests.quality.readings import since
from tests.quality.test_story import PLANTED, lossy


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return keep_journal(tmp_path / "it.journal", lossy)


def peers(dump: Any) -> list[Any]:
    return list(dump["PeerConnections"].values())


def series(peer: Any, name: str) -> list[Any]:
    values: list[Any] = json.loads(peer["stats"][name]["values"])
    return values


def test_a_journal_becomes_a_dump(journal: Path) -> None:
    dump: Any = json.loads(json.dumps(dump_file(journal)))
    first, second = peers(dump)
    assert series(first, "inbound-audio-packetsReceived")[:3] == [50, 100, 150]
    assert series(first, "inbound-audio-timestamp")[0] == (EPOCH + 1) * 1000
    assert len(series(first, "inbound-audio-jitter")) == len(series(first, "inbound-audio-timestamp"))
    assert first["stats"]["inbound-audio-jitter"]["statsType"] == "inbound-rtp"
    assert first["stats"]["inbound-audio-jitter"]["startTime"] == "2027-01-15T08:00:01.000Z"
    assert series(second, "outbound-audio-packetsSent")[0] == 50, "the peer after the outage counts by itself"


def test_what_happened_is_in_the_form_that_the_browser_writes(journal: Path) -> None:
    [peer, _] = peers(dump_file(journal))
    log = [(entry["type"], entry["value"]) for entry in peer["updateLog"]]
    kinds = [kind for kind, _ in log]
    assert kinds[:4] == ["createOffer", "setLocalDescription", "setRemoteDescription", "connectionstatechange"]
    texts = dict(log)
    assert texts["setLocalDescription"].startswith("type: offer, sdp: v=0\r\n")
    assert texts["setRemoteDescription"].startswith("type: answer, sdp: v=0\r\n")
    assert json.loads(peer["rtcConfiguration"])["iceTransportPolicy"] == "all"


def test_no_key_is_in_it(journal: Path) -> None:
    text = json.dumps(dump_file(journal))
    for secret in (PLANTED, "herehere", "therethere"):
        assert secret not in text


def test_a_debug_file_becomes_a_dump(tmp_path: Path) -> None:
    rig = debugged.debugging("file")
    rig.reading = since(rig.now)
    call = rig.dial()
    rig.media_ok(call)
    rig.candidate(at=call)
    rig.describe(at=call)
    rig.reply("invite", {"callID": call}, call=call)
    rig.advance(3)
    rig.hangup(call)
    path = tmp_path / "debug.json"
    [entries] = debugged.written(rig)
    path.write_text(json.dumps(entries))
    [peer] = peers(dump_file(path))
    assert series(peer, "outbound-audio-packetsSent") == [50, 100, 150]
    assert series(peer, "local:a:b:20000-candidateType") == ["srflx"] * 3
    assert series(peer, "a:b:20000-state") == ["succeeded"] * 3
    texts = {entry["type"]: entry["value"] for entry in peer["updateLog"]}
    assert (
        texts["icecandidate"] == "sdpMid: 0, sdpMLineIndex: 0, candidate: candidate:7 1 udp 99 192.0.2.7 5000 typ host"
    )
    assert texts["setLocalDescription"].startswith("type: offer, sdp: v=0")
    assert json.loads(peer["rtcConfiguration"])["iceServers"] == [{"urls": ["turn:turn.example.org:3478"]}]


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"summary": {}, "stats": []}'])
def test_what_is_no_record_of_a_peer_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "file"
    path.write_text(content)
    with pytest.raises(ValueError, match=r".+"):
        dump_file(path)


def test_from_the_shell(journal: Path, tmp_path: Path) -> None:
    out = tmp_path / "dump.json"
    done = CliRunner().invoke(app, ["report", str(journal), "--webrtc-internals", str(out)])
    assert done.exit_code == 0, done.output
    assert json.loads(out.read_text())["PeerConnections"]
