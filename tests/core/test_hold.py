"""Hold commands: one in flight, and what the server says decides."""

import pytest

from telnyx_core import Timer
from telnyx_core._call.hold import HoldQueue
from telnyx_core._time import timeouts
from telnyx_core._time.limits import MAX_QUEUED_MODIFIES
from telnyx_core.actions import Done, Failed
from telnyx_core.catalogue import ErrorCode
from telnyx_core.errors import Failure, FailureKind
from telnyx_core.ids import Ticket
from tests.core.hosts import CALL, LOST, Host

REFUSED = Failure(FailureKind.SERVER_ERROR, "no")


def queue() -> tuple[HoldQueue, Host]:
    host = Host()
    return HoldQueue(CALL, host.as_host, lambda: {"callID": CALL}), host


def actions(host: Host) -> list[object]:
    return [params["action"] for params in host.sent]


@pytest.mark.parametrize(
    ("action", "held", "said", "after"),
    [
        ("hold", False, "held", True),
        ("unhold", True, "active", False),
        ("unhold", True, "unheld", False),
        ("toggleHold", False, "held", True),
        ("toggleHold", True, "active", False),
        ("toggleHold", True, "", False),
        ("hold", False, "what is this", True),
    ],
)
def test_a_reply_tells_whether_the_call_is_held(action: str, held: bool, said: str, after: bool) -> None:
    commands, host = queue()
    commands.ask(action, Ticket(1))
    commands.next(0.0, held=held, connected=True)
    assert host.sent == [{"action": action, "dialogParams": {"callID": CALL}}]
    assert commands.replied({"holdState": said}, None, 1.0, held=held) is after
    assert host.settled == [(Ticket(1), Done({"holdState": said}))]


def test_one_at_a_time_in_order() -> None:
    commands, host = queue()
    for number, action in enumerate(("hold", "unhold"), 1):
        commands.ask(action, Ticket(number))
    commands.next(0.0, held=False, connected=True)
    commands.next(0.0, held=False, connected=True)
    assert actions(host) == ["hold"]
    commands.replied({"holdState": "held"}, None, 1.0, held=False)
    commands.next(1.0, held=True, connected=True)
    assert actions(host) == ["hold", "unhold"]


def test_what_was_not_carried_out_is_repeated_once_when_media_is_connected_and_a_moment_is_over() -> None:
    commands, host = queue()
    commands.ask("toggleHold", Ticket(1))
    commands.next(0.0, held=False, connected=True)
    assert commands.replied({"holdState": "active"}, None, 1.0, held=False) is False
    assert host.due(Timer.HOLD_AGAIN) == 1.0 + timeouts.HOLD_AGAIN
    commands.next(1.0, held=False, connected=True)
    host.timers.stop(Timer.HOLD_AGAIN, CALL)
    commands.next(2.0, held=False, connected=False)
    assert actions(host) == ["toggleHold"]
    commands.next(2.0, held=False, connected=True)
    assert actions(host) == ["toggleHold", "hold"]
    assert host.settled == []
    commands.replied({"holdState": "active"}, None, 3.0, held=False)
    assert [type(outcome) for _, outcome in host.settled] == [Failed]
    assert host.errors == [ErrorCode.HOLD_FAILED]


@pytest.mark.parametrize(("error", "again"), [(LOST, ["hold", "unhold"]), (REFUSED, ["hold"])])
def test_a_lost_reply_leaves_doubt_and_a_refusal_none(error: Failure, again: list[str]) -> None:
    commands, host = queue()
    commands.ask("hold", Ticket(1))
    commands.next(0.0, held=False, connected=True)
    assert commands.replied({}, error, 10.0, held=False) is False
    assert host.settled == [(Ticket(1), Failed(error))]
    commands.next(10.0, held=False, connected=True)
    assert actions(host) == again


def test_the_end_of_the_call_is_not_an_error_of_each_command() -> None:
    commands, host = queue()
    for number in (1, 2):
        commands.ask("hold", Ticket(number))
    commands.next(0.0, held=False, connected=True)
    commands.drop_all(LOST)
    assert [ticket for ticket, _ in host.settled] == [1, 2]
    assert host.errors == []


def test_too_many_are_refused_at_once() -> None:
    commands, host = queue()
    for number in range(MAX_QUEUED_MODIFIES + 1):
        commands.ask("hold", Ticket(number))
    assert [ticket for ticket, _ in host.settled] == [MAX_QUEUED_MODIFIES]
