"""The speed test (signaling.md 2.7), and what it may not do to the rest of the session."""

import pytest

from telnyx_core import SpeedTestResult, Timer
from telnyx_core.actions import CloseSocket, Done, Failed, SendText
from telnyx_core.errors import Busy, FailureKind, NotConnected, NotReady
from telnyx_core.ids import Ticket
from telnyx_core.journal.record import Scrubber
from telnyx_core.testing import Rig

BLOCK = "#SPB " + "." * 1024


def said(rig: Rig) -> list[str]:
    return [action.text for action in rig.actions if isinstance(action, SendText) and action.text.startswith("#SP")]


def result(rig: Rig, ticket: Ticket) -> SpeedTestResult:
    outcome = rig.outcomes[ticket]
    assert isinstance(outcome, Done)
    return SpeedTestResult.from_value(outcome.value)


@pytest.mark.parametrize(("size", "blocks"), [(1, 1), (1024, 1), (1025, 2), (262_144, 256), (1_048_576, 1024)])
def test_as_many_blocks_as_the_bytes_need_go_up(size: int, blocks: int) -> None:
    """SIG-091: "⌈bytes/1024⌉ frames": JS sends one too many. SIG-093: the rates."""
    rig = Rig.registered()
    ticket = rig.speed_test(size)
    assert said(rig) == [f"#SPU {size}", *[BLOCK] * blocks, "#SPE"]
    rig.say("#SPU 250")
    for _ in range(blocks):
        rig.say(BLOCK)
    assert ticket not in rig.outcomes
    rig.say("#SPD 80")
    assert result(rig, ticket) == SpeedTestResult(size, 250, 80)
    assert result(rig, ticket).up_bits_per_second == size * 8 / 0.25
    assert result(rig, ticket).down_bits_per_second == pytest.approx(size * 8 / 0.08)
    outcome = rig.outcomes[ticket]
    assert isinstance(outcome, Done)
    assert outcome.value["upKps"] == round(size * 8 / 0.25 / 1024)
    assert rig.events == [], "no block of it is a frame that was ignored"


@pytest.mark.parametrize("size", [0, -1, 1_048_577])
def test_no_size_at_all_or_too_much_sends_nothing(size: int) -> None:
    """SIG-091: "otherwise fail with a parameter error and send nothing"."""
    rig = Rig.registered()
    with pytest.raises(ValueError, match="1 to 1,048,576 bytes"):
        rig.speed_test(size)
    assert said(rig) == []


def test_a_test_needs_a_registered_session() -> None:
    """SIG-082."""
    rig = Rig()
    with pytest.raises(NotConnected):
        rig.speed_test(5)
    rig.ask_to_connect()
    rig.open()
    with pytest.raises(NotReady):
        rig.speed_test(5)


@pytest.mark.parametrize("text", ["#SPU", "#SPU x", "#SPU -5", "#SPU 99999999999", "#SPD", "#SPX 4", "#SP", "#SPU ٣"])
def test_what_the_server_says_wrongly_is_no_duration(text: str) -> None:
    """SIG-090, SIG-093: "0 if the duration is 0 or missing"; a rate of nothing is none."""
    rig = Rig.registered()
    ticket = rig.speed_test(2048)
    rig.say(text)
    rig.say("#SPD 4")
    measured = result(rig, ticket)
    assert (measured.up_ms, measured.up_bits_per_second) == (0, None)


def test_one_at_a_time_and_never_the_answer_of_another() -> None:
    """SIG-094: one given up after 30 s still has its answer to come."""
    rig = Rig.registered()
    given_up = rig.speed_test(2048)
    with pytest.raises(Busy):
        rig.speed_test(1)
    rig.advance(30)
    outcome = rig.outcomes[given_up]
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind is FailureKind.REQUEST_TIMEOUT
    with pytest.raises(Busy):
        rig.speed_test(1)
    rig.say("#SPU 29000")
    rig.say("#SPD 9000")
    ticket = rig.speed_test(1024)
    rig.say("#SPU 10")
    rig.say("#SPD 10")
    assert result(rig, ticket) == SpeedTestResult(1024, 10, 10)


@pytest.mark.parametrize("how", ["lost", "disconnected", "left"])
def test_a_test_ends_with_its_socket(how: str) -> None:
    """SIG-094: "fails on generation end"; the next socket has a test of its own."""
    rig = Rig.registered()
    ticket = rig.speed_test(2048)
    match how:
        case "lost":
            rig.lose()
        case "disconnected":
            rig.session.disconnect(now=rig.now)
        case _:
            rig.session.leave(now=rig.now)
    rig.drain()
    outcome = rig.outcomes[ticket]
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind is FailureKind.STALE_REQUEST
    assert rig.session.next_timeout_reason() is None or Timer.SPEED_TEST is not rig.session.next_timeout_reason().timer


@pytest.mark.parametrize("talking", [False, True], ids=["alone", "with a call"])
def test_a_slow_line_costs_no_socket(talking: bool) -> None:
    """Twenty seconds of a test on a slow line are no silence: the server answers nothing else meanwhile, and neither a
    probe that went before nor a keepalive is held against it.
    """
    rig = Rig.registered()
    if talking:
        rig.outbound("active")
    rig.advance(4)
    assert rig.waits_for("ping"), "a probe is on its way"
    ticket = rig.speed_test(262_144)
    rig.advance(20)
    rig.say("#SPU 15000")
    rig.advance(5)
    rig.say("#SPD 4000")
    rig.reply("ping")
    rig.advance(1)
    assert isinstance(rig.outcomes[ticket], Done)
    assert not rig.codes
    assert not [action for action in rig.actions if isinstance(action, CloseSocket)]


def test_a_server_that_falls_silent_in_a_test_is_left_after_it() -> None:
    """SIG-458: the silence is judged again from the test's own deadline on."""
    rig = Rig.registered()
    rig.speed_test(1024)
    rig.advance(30)
    rig.advance(12)
    assert rig.codes == [36003]


@pytest.mark.parametrize(
    ("text", "written"),
    [("#SPU 250", "#SPU 250"), ("#SPD 8", "#SPD 8"), (BLOCK, "#SPB"), ("#SPE", "#SPE"), ("#SPU secret", "#SPU")],
)
def test_a_journal_has_the_figures_and_not_the_load(text: str, written: str) -> None:
    assert Scrubber().frame(text) == written
