"""Digits in the audio stream, RFC 4733, both ways (SRV-005)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_core.actions import DigitTone
from telnyx_drivers._audio.rtp.telephone_event import DIGITS, DigitReceiver, DigitSender, EventPacket, HeardDigit


def frames(sender: DigitSender) -> list[EventPacket | None]:
    made: list[EventPacket | None] = []
    while sender.busy:
        made.append(sender.next())
    return made


def test_a_digit_is_announced_lasts_and_ends_three_times() -> None:
    sender = DigitSender(8_000)
    sender.send("5", DigitTone(duration=0.1, gap=0.06))
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
    sender.send(digits, DigitTone(duration))
    heard: list[HeardDigit] = []
    timestamp, event_timestamp, now, got_through = 1_000, 0, 0.0, set()
    for index, packet in enumerate(frames(sender)):
        if packet is not None:
            if packet.begins:
                event_timestamp = timestamp
            if not lost[index % 400] or packet.first:
                got_through.add(event_timestamp)
                heard += receiver.receive(index, event_timestamp & 0xFFFF_FFFF, packet.payload, now)
        heard += receiver.expire(now)
        timestamp += clock // 50
        now += 0.02
    heard += receiver.expire(now + 1)
    assert "".join(each.digit for each in heard) == digits.upper()
    assert all(1 / 50 - 1e-9 <= each.duration <= duration + 1e-9 for each in heard)
    if not any(lost):
        assert all(each.duration == pytest.approx(duration) for each in heard)


def event(digit: int, units: int, *, end: bool = False) -> bytes:
    return bytes((digit, 0x80 * end | 10)) + units.to_bytes(2, "big")


def test_repeated_and_late_packets_of_an_event_are_one_digit() -> None:
    receiver = DigitReceiver(8_000)
    assert receiver.receive(7, 100, event(1, 160), 0.0) == []
    assert receiver.receive(9, 100, event(1, 800, end=True), 0.02) == [HeardDigit("1", 0.1)]
    assert receiver.receive(10, 100, event(1, 800, end=True), 0.04) == []
    assert receiver.receive(20, 2_000, event(2, 800, end=True), 0.06) == [HeardDigit("2", 0.1)]
    # The end of the first once more, and its middle, overtaken on the way.
    assert receiver.receive(11, 100, event(1, 800, end=True), 0.07) == []
    assert receiver.receive(8, 100, event(1, 320), 0.07) == []
    assert receiver.expire(9.0) == []


def test_a_digit_whose_end_is_lost_is_heard_all_the_same() -> None:
    receiver = DigitReceiver(8_000)
    receiver.receive(1, 100, event(11, 320), 1.0)
    assert receiver.expire(1.1) == []
    assert receiver.expire(1.3) == [HeardDigit("#", 0.04)]
    assert receiver.expire(1.4) == []


def test_events_that_are_no_digits_and_broken_ones_mean_nothing() -> None:
    receiver = DigitReceiver(8_000)
    for payload in (b"", b"\x01", b"\x01\x8a\x03", b"\x10\x8a\x03\x20", b"\xff\x8a\x03\x20"):
        assert receiver.receive(1, 100, payload, 0.0) == []
    assert receiver.expire(9.0) == []


def test_two_keys_under_one_timestamp_are_two() -> None:
    """Some gateways take the timestamp of the talk spurt for all keys in it."""
    receiver, heard = DigitReceiver(8_000), list[HeardDigit]()
    for number, (digit, units, end) in enumerate(
        [
            (1, 160, False),
            (1, 320, True),
            (1, 320, True),
            (2, 160, False),
            (2, 480, True),
            (2, 160, False),
            (2, 480, True),
        ]
    ):
        heard += receiver.receive(number, 100, event(digit, units, end=end), number * 0.02)
    assert heard == [HeardDigit("1", 0.04), HeardDigit("2", 0.06), HeardDigit("2", 0.06)]


def test_one_packet_is_a_key() -> None:
    receiver = DigitReceiver(8_000)
    assert receiver.receive(1, 100, event(5, 800, end=True), 0.0) == [HeardDigit("5", 0.1)]
    assert receiver.receive(2, 5_000, event(5, 800, end=True), 1.0) == [HeardDigit("5", 0.1)]


def test_timestamps_that_begin_anew_lose_no_key() -> None:
    receiver = DigitReceiver(8_000)
    assert receiver.receive(1, 3_000_000_000, event(5, 800, end=True), 0.0) != []
    assert receiver.receive(2, 160_000, event(6, 800, end=True), 1.0) == [HeardDigit("6", 0.1)]


@pytest.mark.parametrize("clock", [8_000, 48_000])
@pytest.mark.parametrize("lost", [0, 3])
def test_a_key_that_is_held_for_long_is_one_key(clock: int, lost: int) -> None:
    """Beyond 0xFFFF units (1.37 s at 48 kHz) it goes on in further segments, each contiguous (RFC 4733 2.5.1.3)."""
    sender, receiver, heard = DigitSender(clock), DigitReceiver(clock), list[HeardDigit]()
    sender.send("7", DigitTone(duration=5.0))
    begins = 0
    for index, packet in enumerate(frames(sender)):
        if packet is None:
            continue
        begins = index * (clock // 50) if packet.begins else begins
        assert int.from_bytes(packet.payload[2:], "big") > 0
        if not 0 < index % 68 <= lost:
            heard += receiver.receive(index, begins, packet.payload, index * 0.02)
    assert [each.digit for each in heard] == ["7"]
    assert heard[0].duration == pytest.approx(5.0, abs=0.02 * lost * 4)


def test_a_sender_that_stays_at_the_longest_duration_is_timed_by_the_clock() -> None:
    receiver = DigitReceiver(48_000)
    for index in range(1, 151):
        assert receiver.receive(index, 100, event(3, min(index * 960, 0xFFFF)), index * 0.02) == []
    [heard] = receiver.receive(151, 100, event(3, 0xFFFF, end=True), 3.02)
    assert heard.duration == pytest.approx(3.0, abs=0.03)


def test_segments_of_the_full_field_are_joined_by_whatever_clock_they_count() -> None:
    for following in (0xFFFF, 6 * 0xFFFF):
        receiver = DigitReceiver(8_000)
        assert receiver.receive(1, 100, event(3, 0xFFFF - 100), 8.0) == []
        assert receiver.receive(2, 100 + following, event(3, 160), 8.02) == []
        [heard] = receiver.receive(3, 100 + following, event(3, 320, end=True), 8.04)
        assert heard.duration == pytest.approx(8.2, abs=0.1)


def test_what_is_open_when_its_stream_ends_was_pressed() -> None:
    receiver = DigitReceiver(8_000)
    receiver.receive(1, 100, event(3, 320), 1.0)
    assert receiver.finish() == [HeardDigit("3", 0.04)]
    assert receiver.finish() == []


def test_volume_goes_out_as_it_was_asked_for() -> None:
    sender = DigitSender(8_000)
    sender.send("1", DigitTone(volume=-25))
    assert {packet.payload[1] & 0x3F for packet in frames(sender) if packet is not None} == {25}


@pytest.mark.parametrize("wrong", [{"duration": 0.03}, {"duration": 9}, {"gap": 0}, {"volume": 3}, {"volume": -64}])
def test_what_cannot_be_sent_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong)).replace("duration", "digit")):
        DigitTone(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("begins_anew", [False, True])
def test_a_key_that_is_held_while_another_stream_takes_over_is_one_key(begins_anew: bool) -> None:
    """A server that replaces its stream in the middle of a key sends the rest of it under the new source."""
    first, heard = DigitReceiver(8_000), list[HeardDigit]()
    for number in range(1, 6):
        heard += first.receive(number, 100, event(7, number * 160), number * 0.02)
    heard += first.finish()
    second = DigitReceiver(8_000, first)
    timestamp = 9_000 if begins_anew else 100
    for number in range(7, 11):
        end = number == 10
        heard += second.receive(500 + number, timestamp, event(7, number * 160, end=end), number * 0.02 + 0.01)
    assert [each.digit for each in heard] == ["7"]
    heard += second.receive(520, timestamp, event(7, 160, end=True), 0.4)
    assert [each.digit for each in heard] == ["7", "7"]


@pytest.mark.parametrize(("key", "units", "after"), [(7, 160, 0.1), (8, 960, 0.04), (7, 2_400, 0.1)])
def test_another_key_in_the_stream_that_takes_over_is_another_key(key: int, units: int, after: float) -> None:
    first = DigitReceiver(8_000)
    first.receive(1, 100, event(7, 640), 1.0)
    assert len(first.finish()) == 1
    second = DigitReceiver(8_000, first)
    assert len(second.receive(9, 700, event(key, units, end=True), 1.0 + after)) == 1
