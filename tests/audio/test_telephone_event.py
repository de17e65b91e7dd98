"""Digits in the audio stream, RFC 4733, both ways (SRV-005)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_drivers.media.rtp.telephone_event import DIGITS, DigitReceiver, DigitSender, EventPacket, HeardDigit


def frames(sender: DigitSender) -> list[EventPacket | None]:
    made: list[EventPacket | None] = []
    while sender.busy:
        made.append(sender.next())
    return made


def test_a_digit_is_announced_lasts_and_ends_three_times() -> None:
    sender = DigitSender(8_000)
    sender.send("5", duration=0.1, gap=0.06)
    packets = frames(sender)
    events = [packet for packet in packets if packet is not None]
    assert packets[-3:] == [None, None, None]
    assert [packet.first for packet in events] == [True] + [False] * 6
    assert [packet.payload[0] for packet in events] == [5] * 7
    assert [packet.payload[1] >> 7 for packet in events] == [0, 0, 0, 0, 1, 1, 1]
    assert [int.from_bytes(packet.payload[2:], "big") for packet in events] == [160, 320, 480, 640, 800, 800, 800]


@pytest.mark.parametrize("wrong", ["x", "1 2", "5.", "é"])
def test_what_is_no_digit_is_refused_and_nothing_is_sent(wrong: str) -> None:
    sender = DigitSender(8_000)
    with pytest.raises(ValueError, match="digits are"):
        sender.send("1" + wrong)
    with pytest.raises(ValueError, match="a digit takes"):
        sender.send("1", duration=10)
    assert not sender.busy


@given(
    st.text(DIGITS + "abcd", max_size=8),
    st.sampled_from([8_000, 48_000]),
    st.sampled_from([0.04, 0.1, 0.24]),
    st.lists(st.booleans(), min_size=400, max_size=400),
)
def test_digits_arrive_once_and_in_order_over_a_network_that_loses(
    digits: str, clock: int, duration: float, lost: list[bool]
) -> None:
    """Of each digit at least one packet comes through; it is heard exactly once for all that."""
    sender, receiver = DigitSender(clock), DigitReceiver(clock)
    sender.send(digits, duration)
    heard: list[HeardDigit] = []
    timestamp, event_timestamp, now, got_through = 1_000, 0, 0.0, set()
    for index, packet in enumerate(frames(sender)):
        if packet is not None:
            if packet.first:
                event_timestamp = timestamp
            if not lost[index % 400] or packet.first:
                got_through.add(event_timestamp)
                heard += receiver.receive(event_timestamp & 0xFFFF_FFFF, packet.payload, now)
        heard += receiver.expire(now)
        timestamp += clock // 50
        now += 0.02
    heard += receiver.expire(now + 1)
    assert "".join(each.digit for each in heard) == digits.upper()
    assert all(1 / 50 - 1e-9 <= each.duration <= duration + 1e-9 for each in heard)
    if not any(lost):
        assert all(each.duration == pytest.approx(duration) for each in heard)


def test_repeated_and_late_packets_of_an_event_are_one_digit() -> None:
    receiver = DigitReceiver(8_000)
    assert receiver.receive(100, b"\x01\x0a\x00\xa0", 0.0) == []
    assert receiver.receive(100, b"\x01\x8a\x03\x20", 0.02) == [HeardDigit("1", 0.1)]
    assert receiver.receive(100, b"\x01\x8a\x03\x20", 0.04) == []
    assert receiver.receive(2_000, b"\x02\x8a\x03\x20", 0.06) == [HeardDigit("2", 0.1)]
    # The end of the first once more, overtaken on the way.
    assert receiver.receive(100, b"\x01\x8a\x03\x20", 0.07) == []
    assert receiver.expire(9.0) == []


def test_a_digit_whose_end_is_lost_is_heard_all_the_same() -> None:
    receiver = DigitReceiver(8_000)
    receiver.receive(100, b"\x0b\x0a\x01\x40", 1.0)
    assert receiver.expire(1.1) == []
    assert receiver.expire(1.3) == [HeardDigit("#", 0.04)]
    assert receiver.expire(1.4) == []


def test_events_that_are_no_digits_and_broken_ones_mean_nothing() -> None:
    receiver = DigitReceiver(8_000)
    for payload in (b"", b"\x01", b"\x01\x8a\x03", b"\x10\x8a\x03\x20", b"\xff\x8a\x03\x20"):
        assert receiver.receive(100, payload, 0.0) == []
    assert receiver.expire(9.0) == []
