"""RTP, RTCP and event payloads as bytes: round trips, limits, and whatever the network may send."""

import pytest
from aiortc.rtp import RtcpPacket, RtcpRrPacket, RtcpSdesPacket, RtcpSrPacket
from aiortc.rtp import RtpPacket as LibraryPacket
from hypothesis import given
from hypothesis import strategies as st

from telnyx_drivers._audio.rtp import opus_payload, rtcp
from telnyx_drivers._audio.rtp.packet import RtpPacket, Unwrapper, is_rtcp, parse
from telnyx_drivers._audio.rtp.reception_statistics import ReceptionStatistics

packets = st.builds(
    RtpPacket,
    payload_type=st.integers(0, 127),
    marker=st.booleans(),
    sequence=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFF_FFFF),
    ssrc=st.integers(0, 0xFFFF_FFFF),
    payload=st.binary(max_size=40),
)


@given(packets)
def test_a_packet_survives_the_wire(packet: RtpPacket) -> None:
    data = packet.serialize()
    assert parse(data) == packet
    theirs = LibraryPacket.parse(data)
    assert (theirs.sequence_number, theirs.timestamp, theirs.payload) == (
        packet.sequence,
        packet.timestamp,
        packet.payload,
    )


def test_csrcs_extensions_and_padding_are_left_out() -> None:
    data = bytes([0x80 | 0x20 | 0x10 | 1, 0x80 | 96, 0, 1]) + bytes(8) + b"CSRC" + b"\xbe\xde\0\1XXXX" + b"audio\0\0\3"
    packet = parse(data)
    assert packet is not None
    assert (packet.payload, packet.marker, packet.payload_type, packet.sequence) == (b"audio", True, 96, 1)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(11),
        bytes(12),
        b"\x8f" + bytes(11),
        b"\x90" + bytes(11),
        b"\x90" + bytes(13) + b"\xff\xff",
        b"\xa0" + bytes(11) + b"\xff",
        b"\xa0" + bytes(11) + b"\0",
    ],
)
def test_contradictory_packets_are_none(data: bytes) -> None:
    assert parse(data) is None


@given(st.binary(max_size=80))
def test_no_bytes_break_the_parsers(data: bytes) -> None:
    parse(data)
    rtcp.parse(data)
    is_rtcp(data)
    assert 0 <= opus_payload.duration(data) <= 5_760
    opus_payload.repairs(data)
    opus_payload.pauses(data)


@given(st.lists(st.integers(-1_000, 1_000), max_size=200), st.integers(0, 0xFFFF))
def test_a_counter_unwraps_over_any_number_of_turns(steps: list[int], start: int) -> None:
    counter, true = Unwrapper(16), start
    assert counter.unwrap(start) == start
    for step in steps:
        true += step
        assert counter.unwrap(true & 0xFFFF) == true


blocks = st.builds(
    rtcp.ReportBlock,
    ssrc=st.integers(0, 0xFFFF_FFFF),
    fraction_lost=st.integers(0, 255).map(lambda value: value / 256),
    packets_lost=st.integers(-(1 << 23), (1 << 23) - 1),
    highest_sequence=st.integers(0, 0xFFFF_FFFF),
    jitter=st.integers(0, 0xFFFF_FFFF),
    last_sr=st.integers(0, 0xFFFF_FFFF),
    delay_since_last_sr=st.integers(0, 0xFFFF_FFFF).map(lambda value: value / 65_536),
)
block_tuples = st.lists(blocks, max_size=3).map(tuple)
senders = st.builds(
    rtcp.SenderReport,
    ssrc=st.integers(0, 0xFFFF_FFFF),
    ntp=st.integers(0, 2**64 - 1),
    timestamp=st.integers(0, 0xFFFF_FFFF),
    packets=st.integers(0, 0xFFFF_FFFF),
    octets=st.integers(0, 0xFFFF_FFFF),
    blocks=block_tuples,
)
receivers = st.builds(rtcp.ReceiverReport, ssrc=st.integers(0, 0xFFFF_FFFF), blocks=block_tuples)


@given(senders | receivers, st.none() | st.text(max_size=300), st.lists(st.integers(0, 0xFFFF_FFFF), max_size=3))
def test_reports_survive_the_wire(
    report: rtcp.SenderReport | rtcp.ReceiverReport, cname: str | None, leaving: list[int]
) -> None:
    data = rtcp.compound(report, cname, leaving)
    assert is_rtcp(data)
    assert len(data) % 4 == 0
    expected: list[rtcp.RtcpMessage] = [report]
    if leaving:
        expected.append(rtcp.Bye(tuple(leaving)))
    assert rtcp.parse(data) == expected


def test_another_implementation_reads_our_reports() -> None:
    block = rtcp.ReportBlock(7, 0.25, -3, 70_000, 41, 0x1234_5678, 1.5)
    report = rtcp.SenderReport(9, rtcp.ntp_time(1_700_000_000.25), 1_234, 10, 1_600, (block,))
    sender, names = RtcpPacket.parse(rtcp.compound(report, "caller@host"))
    assert isinstance(sender, RtcpSrPacket)
    assert isinstance(names, RtcpSdesPacket)
    theirs = sender.reports[0]
    assert (theirs.fraction_lost, theirs.packets_lost, theirs.highest_sequence, theirs.dlsr) == (64, -3, 70_000, 98_304)
    assert names.chunks[0].items == [(1, b"caller@host")]
    (receiver,) = RtcpPacket.parse(rtcp.compound(rtcp.ReceiverReport(9, (block,)), None))
    assert isinstance(receiver, RtcpRrPacket)


def test_the_round_trip_is_what_the_far_end_did_not_keep() -> None:
    sent = rtcp.ntp_time(1_700_000_000.0)
    block = rtcp.ReportBlock(1, 0, 0, 0, 0, (sent >> 16) & 0xFFFF_FFFF, 2.0)
    assert block.round_trip(rtcp.ntp_time(1_700_000_002.08)) == pytest.approx(0.08, abs=1e-4)
    assert block.round_trip(rtcp.ntp_time(1_700_000_001.0)) == 0
    assert block.round_trip(rtcp.ntp_time(1_699_999_000.0)) is None
    assert rtcp.ReportBlock(1, 0, 0, 0, 0, 0, 2.0).round_trip(sent) is None
    assert rtcp.wall_time(sent) == pytest.approx(1_700_000_000.0, abs=1e-6)


def test_loss_and_jitter_are_counted_as_rfc_3550_says() -> None:
    stream = ReceptionStatistics(5, 8_000)
    for index in range(100):
        if index % 10 != 3:
            # Every other packet 4 ms late: transits differ by 4 ms each time, and so jitter tends to 4 ms.
            stream.add((65_500 + index) & 0xFFFF, index * 160, 160, index * 0.02 + (index % 2) * 0.004)
    block = stream.report(2.0)
    assert block.fraction_lost == pytest.approx(10 / 100)
    assert block.packets_lost == stream.totals.lost == 10
    assert block.highest_sequence == 65_500 + 99
    assert stream.totals.jitter == pytest.approx(0.004, rel=0.15)
    assert block.jitter == int(stream.totals.jitter * 8_000)
    # The next interval starts at nothing.
    stream.add((65_600) & 0xFFFF, 100 * 160, 160, 2.0)
    assert stream.report(3.0).fraction_lost == 0
    assert stream.totals.octets == 91 * 160


def test_duplicates_and_late_packets_are_no_loss() -> None:
    stream = ReceptionStatistics(5, 8_000)
    assert stream.add(10, 0, 160, 0.0)
    assert stream.add(12, 320, 160, 0.04)
    assert not stream.add(11, 160, 160, 0.05)
    assert not stream.add(9, 0, 160, 0.05)
    assert stream.totals.lost == 0
    stream.add(12, 320, 160, 0.06)
    assert stream.totals.lost == -1


def test_a_report_tells_how_long_ago_the_senders_was() -> None:
    stream = ReceptionStatistics(5, 8_000)
    stream.add(1, 0, 160, 0.0)
    assert stream.report(1.0).last_sr == 0
    stream.sender_report(0x1111_2222_3333_4444, 5.0)
    block = stream.report(5.25)
    assert (block.last_sr, block.delay_since_last_sr) == (0x2222_3333, 0.25)
