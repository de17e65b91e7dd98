"""``telnyx-rtc report``, and ``call --report``."""

import asyncio
import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from telnyx_core.gateway.events import CallReportReceived
from telnyx_drivers._audio.rtp.packet import is_rtcp
from telnyx_drivers._tools.cli.app import app
from telnyx_drivers._tools.cli.exits import Exit
from telnyx_drivers.gateway import Gateway
from tests.audio.helpers import sine, write_wav
from tests.cli.test_end_to_end import command, finished, with_gateway
from tests.programs import end_of
from tests.quality.journals import keep_journal
from tests.quality.test_pcap import packets as packets_of
from tests.quality.test_story import PLANTED, lossy


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return keep_journal(tmp_path / "it.journal", lossy)


def test_a_page_of_a_journal(journal: Path) -> None:
    done = CliRunner().invoke(app, ["report", str(journal), "--json"])
    assert done.exit_code == Exit.OK, done.output
    document = json.loads(done.stdout.splitlines()[-1])
    page = Path(document["page"])
    assert page == journal.with_name("it.journal.html")
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert (document["ok"], document["source"], len(document["calls"])) == (True, "journal", 1)
    text = page.read_text()
    assert "number 1" in text
    for secret in (PLANTED, "15551230000", "198.51.100.2"):
        assert secret not in text


def test_a_folder_becomes_an_index_with_a_page_of_each(journal: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no call")
    write_wav(tmp_path / "it.wav", sine(440, 8_000, 1.0), 8_000)
    done = CliRunner().invoke(app, ["report", str(tmp_path), "--audio", "--json"])
    assert done.exit_code == Exit.OK, done.output
    document = json.loads(done.stdout.splitlines()[-1])
    assert (len(document["calls"]), document["passed_over"]) == (1, ["notes.txt"])
    index = Path(document["page"])
    assert index == tmp_path / "index.html"
    assert stat.S_IMODE(index.stat().st_mode) == 0o600
    assert 'href="it.journal.html"' in index.read_text()
    assert "15551230000" not in index.read_text()
    assert "data:audio/webm" in (tmp_path / "it.journal.html").read_text()
    again = CliRunner().invoke(app, ["report", str(tmp_path), "--show-people", "--json"])
    assert json.loads(again.stdout.splitlines()[-1])["calls"] == document["calls"], "pages are no reports"
    assert "+15551230000" in index.read_text()
    assert "data:audio" not in (tmp_path / "it.journal.html").read_text(), "only where it is asked for"


@pytest.mark.parametrize("line", ["it.journal --audio", ". --recording it.wav", ". --webrtc-internals dump.json"])
def test_options_that_make_no_sense_together(journal: Path, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(journal.parent)
    done = CliRunner().invoke(app, ["report", *line.split()])
    assert done.exit_code == Exit.USAGE
    assert "Error:" in done.stderr


def test_people_are_shown_where_that_is_wanted(journal: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = CliRunner().invoke(app, ["report", str(journal), "--show-people", "-o", str(page)])
    assert done.exit_code == Exit.OK, done.output
    assert "+15551230000" in page.read_text()
    assert PLANTED not in page.read_text()


@pytest.mark.parametrize("content", ["", "{}", "RIFF\x00"])
def test_a_file_that_tells_of_no_call(tmp_path: Path, content: str) -> None:
    path = tmp_path / "file"
    path.write_text(content)
    done = CliRunner().invoke(app, ["report", str(path)])
    assert done.exit_code == Exit.USAGE
    assert not (tmp_path / "file.html").exists()


def test_a_recording_that_is_none(journal: Path) -> None:
    done = CliRunner().invoke(app, ["report", str(journal), "--recording", str(journal)])
    assert done.exit_code == Exit.USAGE


def test_a_page_that_cannot_be_written(journal: Path) -> None:
    done = CliRunner().invoke(app, ["report", str(journal), "-o", "/nowhere/page.html"])
    assert done.exit_code == Exit.USAGE


@pytest.mark.net
@pytest.mark.media
@pytest.mark.slow
def test_a_call_becomes_a_page_and_the_platform_has_its_report(tmp_path: Path) -> None:
    """The whole way: measured, journalled, drawn; and uploaded to the gateway (SIG-187)."""
    page, recording, packets = (tmp_path / name for name in ("call.html", "call.wav", "call.pcap"))

    async def story(gateway: Gateway) -> None:
        files = ("--record", str(recording), "--report", str(page), "--pcap", str(packets))
        ended = await finished("alice", gateway.url, "call", "tone", "--duration", "3", *files, "--json")
        assert ended.status == Exit.OK, ended.err
        assert ended.document["report"] == str(page)
        assert [turn["who"] for turn in ended.document["turns"]] == ["remote"]
        taken = await gateway.wait_for(CallReportReceived)
        assert taken.call == ended.document["call_id"]
        entries = taken.report["stats"]
        assert isinstance(entries, list)
        assert len(entries) >= 3
        last = json.dumps(entries[-1])
        assert '"mimeType": "audio/opus"' in last
        assert "pw-of-alice" not in json.dumps(taken.report)

    with_gateway(story)
    captured = [packet[28:] for _, packet in packets_of(packets.read_bytes())]
    assert len([packet for packet in captured if not is_rtcp(packet)]) > 200, "both ways, fifty a second"
    assert any(is_rtcp(packet) for packet in captured)
    assert all(packet[0] >> 6 == 2 for packet in captured), "RTP in the clear"
    text = page.read_text()
    assert 'data-chart="mos"' in text
    assert "data-wave" in text
    assert "<h2>Turns" in text
    assert "pw-of-alice" not in text


@pytest.mark.net
@pytest.mark.media
@pytest.mark.slow
def test_a_page_is_refused_before_anybody_s_telephone_rings(tmp_path: Path) -> None:
    async def story(gateway: Gateway) -> None:
        async with command("alice", gateway.url, "call", "echo", "--report", "/nowhere/x.html") as process:
            assert (await end_of(process)).status == Exit.USAGE
        await asyncio.sleep(0)

    with_gateway(story)


@pytest.mark.parametrize("target", ["page", "dump"])
def test_a_planted_link_is_refused_and_leads_to_nobody_else_s_file(journal: Path, tmp_path: Path, target: str) -> None:
    other, link = tmp_path / "other", tmp_path / "link"
    other.write_text("somebody else's")
    link.symlink_to(other)
    page = link if target == "page" else tmp_path / "page.html"
    dump = link if target == "dump" else tmp_path / "dump.json"
    done = CliRunner().invoke(app, ["report", str(journal), "-o", str(page), "--webrtc-internals", str(dump)])
    assert done.exit_code == Exit.USAGE
    assert "cannot be written" in " ".join(done.output.split())
    assert other.read_text() == "somebody else's"
    assert link.is_symlink()


def test_a_page_is_for_its_owner_alone(journal: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert CliRunner().invoke(app, ["report", str(journal), "-o", str(page)]).exit_code == Exit.OK
    assert page.stat().st_mode & 0o077 == 0
