"""Capture files of a call's packets in the clear."""

import asyncio
import shutil
import stat
import struct
import subprocess
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from telnyx_core.testing.wire import EPOCH
from telnyx_drivers._audio.rtp import pcap
from telnyx_drivers._audio.rtp.packet import RtpPacket
from telnyx_drivers._audio.rtp.pcap import Capture, checksum, header, record
from telnyx_drivers._audio.worker import in_background
from telnyx_drivers._tools.cli.exits import Exit
from telnyx_drivers._webrtc.measure import dominant_frequency
from telnyx_drivers.gateway import Gateway
from tests.cli.test_end_to_end import finished, with_gateway

TSHARK: Final = shutil.which("tshark")
needs_tshark = pytest.mark.skipif(TSHARK is None, reason="no tshark: apt-get install tshark")


def directly(job: Callable[[], None]) -> None:
    job()


def rtp(number: int) -> bytes:
    return RtpPacket(0, False, number & 0xFFFF, 160 * number, 0xBEEF, bytes(160)).serialize()


def capture_to(path: Path, faults: list[Exception] | None = None) -> Capture:
    return Capture(
        path, background=directly, call_soon=directly, on_fault=(faults if faults is not None else []).append
    )


def packets(data: bytes) -> list[tuple[float, bytes]]:
    """Times and IP packets of a capture file."""
    magic, major, minor, _, _, _, link = struct.unpack_from("<IHHiIII", data)
    assert (magic, major, minor, link) == (0xA1B2C3D4, 2, 4, 228)
    found: list[tuple[float, bytes]] = []
    at = 24
    while at < len(data):
        seconds, micros, held, whole = struct.unpack_from("<IIII", data, at)
        assert held == whole
        found.append((seconds + micros / 1e6, data[at + 16 : at + 16 + held]))
        at += 16 + held
    return found


def test_every_packet_is_in_the_file_with_its_time(tmp_path: Path) -> None:
    path = tmp_path / "it.pcap"
    capture = capture_to(path)
    for number in range(500):
        capture.packet(rtp(number), number % 2 == 0, EPOCH + number / 50)
    capture.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = packets(path.read_bytes())
    assert (len(found), capture.packets, capture.lost_blocks) == (500, 500, 0)
    assert found[75][0] == pytest.approx(EPOCH + 1.5)
    assert found[3][1][28:] == rtp(3)
    assert capture.ended


def test_the_headers_are_those_of_a_network(tmp_path: Path) -> None:
    ip = record(rtp(1), True, EPOCH)[16:]
    assert checksum(ip[:20]) == 0, "with its checksum in it the sum is nothing (RFC 791)"
    assert struct.unpack_from("!H", ip, 2)[0] == len(ip)
    assert struct.unpack_from("!H", ip, 24)[0] == len(ip) - 20
    there = record(rtp(1), False, EPOCH)[16:]
    assert (ip[12:16], ip[16:20]) == (there[16:20], there[12:16])


def test_a_capture_of_nothing_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "it.pcap"
    capture_to(path).close()
    assert path.read_bytes() == header()


def test_after_its_end_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "it.pcap"
    capture = capture_to(path)
    capture.close()
    capture.packet(rtp(1), True, EPOCH)
    capture.close()
    assert path.read_bytes() == header()


def test_a_disk_that_is_full_ends_the_capture_and_not_the_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pcap, "MAX_BYTES", 40_000)
    faults: list[Exception] = []
    capture = capture_to(tmp_path / "it.pcap", faults)
    for number in range(2_000):
        capture.packet(rtp(number), True, EPOCH)
    assert capture.ended
    assert [type(fault) for fault in faults] == [OSError]
    assert len((tmp_path / "it.pcap").read_bytes()) <= 40_000


def test_a_slow_disk_costs_packets_and_no_memory(tmp_path: Path) -> None:
    jobs: list[Callable[[], None]] = []
    gaps: list[Exception] = []
    capture = Capture(
        tmp_path / "it.pcap",
        background=jobs.append,
        call_soon=directly,
        on_fault=lambda error: None,
        on_gap=gaps.append,
    )
    for number in range(20_000):
        capture.packet(rtp(number), True, EPOCH)
    assert capture.lost_blocks > 1
    assert len(gaps) == 1, "once, until the disk has caught up"
    [job] = jobs
    job()
    capture.close()
    jobs[1]()
    assert capture.ended


def test_stopping_waits_for_the_file(tmp_path: Path) -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()

        def soon(function: Callable[[], None]) -> None:
            loop.call_soon_threadsafe(function)

        capture = Capture(
            tmp_path / "it.pcap",
            background=in_background,
            call_soon=soon,
            on_fault=lambda error: None,
        )
        capture.packet(rtp(1), True, EPOCH)
        await capture.stop()
        assert len(packets((tmp_path / "it.pcap").read_bytes())) == 1

    asyncio.run(story())


def fields(path: Path, *names: str) -> list[list[str]]:
    """What Wireshark's dissectors say of each packet."""
    assert TSHARK is not None
    wanted = [argument for name in names for argument in ("-e", name)]
    done = subprocess.run(
        [TSHARK, "-r", str(path), "-d", "udp.port==5004,rtp", "-o", "ip.check_checksum:TRUE", "-T", "fields", *wanted],
        capture_output=True,
        text=True,
        check=True,
    )
    return [line.split("\t") for line in done.stdout.splitlines()]


@pytest.mark.interop
@needs_tshark
def test_wireshark_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "it.pcap"
    capture = capture_to(path)
    for number in range(50):
        capture.packet(rtp(number), number % 2 == 0, EPOCH + number / 50)
    capture.close()
    rows = fields(path, "rtp.seq", "rtp.p_type", "ip.checksum.status", "_ws.malformed", "frame.time_epoch")
    assert [int(row[0]) for row in rows] == list(range(50))
    assert {row[1] for row in rows} == {"0"}
    assert {row[2] for row in rows} <= {"1", "Good"}
    assert {row[3] for row in rows} == {""}
    assert [float(row[4]) for row in rows] == pytest.approx([EPOCH + number / 50 for number in range(50)], abs=1e-5)


@pytest.mark.interop
@needs_tshark
@pytest.mark.net
@pytest.mark.media
@pytest.mark.slow
def test_wireshark_hears_the_tone_of_a_real_call(tmp_path: Path) -> None:
    """``call --pcap``: one stream each way, with the codec that was asked for, without a hole, RTCP beside it."""
    path = tmp_path / "call.pcap"

    async def story(gateway: Gateway) -> None:
        files = ("--codec", "pcmu", "--duration", "2.5", "--pcap", str(path), "--json")
        ended = await finished("alice", gateway.url, "call", "tone", *files)
        assert ended.status == Exit.OK, ended.err

    with_gateway(story)
    names = ("ip.src", "rtp.ssrc", "rtp.p_type", "rtp.seq", "rtp.timestamp", "rtp.payload", "rtcp.pt", "_ws.malformed")
    rows = [dict(zip(names, row, strict=True)) for row in fields(path, *names)]
    assert {row["_ws.malformed"] for row in rows} == {""}
    reports = [row for row in rows if row["rtcp.pt"]]
    assert any(row["rtcp.pt"].split(",")[0] in ("200", "201") for row in reports), "sender or receiver reports"
    for source in ("192.0.2.1", "192.0.2.2"):
        stream = [row for row in rows if row["ip.src"] == source and row["rtp.seq"]]
        assert len(stream) > 80
        assert {row["rtp.p_type"] for row in stream} == {"0"}, "PCMU (RFC 3551)"
        assert len({row["rtp.ssrc"] for row in stream}) == 1
        assert steps(stream, "rtp.seq", 1 << 16) == {1}
        assert steps(stream, "rtp.timestamp", 1 << 32) == {160}
    heard = b"".join(
        bytes.fromhex(row["rtp.payload"]) for row in rows if row["ip.src"] == "192.0.2.2" and row["rtp.seq"]
    )
    assert dominant_frequency(expanded(heard), 8_000) == pytest.approx(1000.0, abs=1)


def steps(stream: list[dict[str, str]], name: str, modulus: int) -> set[int]:
    values = [int(row[name]) for row in stream]
    return {(later - earlier) % modulus for earlier, later in pairwise(values)}


def expanded(law: bytes) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """ITU-T G.711 mu-law as the standard says it, and not as this project does it."""
    code = ~np.frombuffer(law, np.uint8)
    size = ((code & 0x0F) * 2.0 + 33) * 2.0 ** ((code >> 4) & 7) - 33
    return np.where(code & 0x80, -size, size)
