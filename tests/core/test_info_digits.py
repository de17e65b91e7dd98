"""Digits as messages: split at their pauses, in order, each command settled once."""

from hypothesis import given
from hypothesis import strategies as st

from telnyx_core import Timer
from telnyx_core._call.info_digits import DIGIT_SECONDS, PAUSES, InfoDigits
from telnyx_core.actions import Done, Failed
from telnyx_core.ids import Ticket
from tests.core.hosts import CALL, LOST, Host

ONE, TWO = Ticket(1), Ticket(2)


def digits() -> tuple[InfoDigits, Host]:
    host = Host()
    return InfoDigits(CALL, host.as_host, dict), host


@given(st.text("0123456789*#wW,", min_size=1, max_size=30))
def test_all_digits_go_in_order_without_a_pause_among_them_and_no_sooner_than_pauses_allow(dialled: str) -> None:
    sender, host = digits()
    sender.ask(dialled, ONE, 0.0)
    now = 0.0
    while (due := host.due(Timer.DIGITS)) is not None:
        now = due
        host.timers.stop(Timer.DIGITS, CALL)
        sender.due(now)
    sent = "".join(str(params["dtmf"]) for params in host.sent)
    assert sent == "".join(char for char in dialled if char not in PAUSES)
    last = dialled.rstrip("0123456789*#")
    heard = sum(PAUSES.get(char, DIGIT_SECONDS) for char in last)
    assert now >= heard - 1e-9 or not last.strip("0123456789*#")
    for _ in host.sent:
        sender.replied(ONE, {"message": "SENT"}, None)
    assert [(ticket, type(outcome)) for ticket, outcome in host.settled] == [(ONE, Done)]


def test_a_reply_that_says_nothing_of_sending_is_a_failure_and_takes_the_rest_along() -> None:
    sender, host = digits()
    sender.ask("1w2", ONE, 0.0)
    sender.ask("3", TWO, 0.0)
    sender.replied(ONE, {"message": "CALL DOES NOT EXIST"}, None)
    host.timers.stop(Timer.DIGITS, CALL)
    sender.due(9.0)
    assert [params["dtmf"] for params in host.sent] == ["1", "3"]
    assert [(ticket, type(outcome)) for ticket, outcome in host.settled] == [(ONE, Failed)]


def test_without_a_socket_all_fail() -> None:
    sender, host = digits()
    sender.ask("1w2", ONE, 0.0)
    host.usable = False
    sender.due(9.0)
    sender.fail_all(LOST)
    assert host.settled == [(ONE, Failed(host.unusable()))]
    assert host.due(Timer.DIGITS) is None
