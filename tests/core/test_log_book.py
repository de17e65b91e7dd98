"""What a call's report says of the frames of its session: LOG-010, LOG-012, LOG-015 of quality.md."""

from copy import deepcopy

from telnyx_core._reports.log_book import MAX_ENTRIES, CommonLog, LogBook
from telnyx_core._wire.json_types import JsonObject
from telnyx_core.actions import WriteReport
from telnyx_core.ids import CallId
from telnyx_core.testing.rig import Rig
from tests.inside import hub_of

PING: JsonObject = {"method": "telnyx_rtc.ping"}


def reporting() -> Rig:
    rig = Rig.registered()
    rig.gateway("REGED", call_report_id="r-1")
    rig.always("ping", {})
    return rig


def log_of(rig: Rig, call: CallId) -> list[str]:
    """Hang up; the methods of the frames that the report's last part names, in order."""
    rig.clear()
    rig.hangup(call)
    rig.reply("bye")
    segment = next(action.segment for action in rig.actions if isinstance(action, WriteReport))
    methods = (entry.context.get("method") for entry in segment.logs if entry.context)
    return [str(method).removeprefix("telnyx_rtc.") for method in methods if method]


def test_a_frame_that_names_no_call_is_in_the_log_of_each() -> None:
    """LOG-012: in the reference the first of two calls stops logging."""
    rig = reporting()
    first = rig.outbound("active", id="first")
    rig.request("ping")
    second = rig.outbound("active", id="second")
    rig.request("event", eventChannel="x")
    rig.dtmf(first, "1")
    said, also_said = log_of(rig, first), log_of(rig, second)
    assert [said.count(method) for method in ("event", "info", "invite", "bye")] == [1, 1, 1, 1]
    assert said.count("ping") == 2  # the server's, and ours
    assert [also_said.count(method) for method in ("event", "info", "invite", "bye", "ping")] == [1, 0, 1, 1, 0]


def test_what_came_first_is_told_first() -> None:
    rig = reporting()
    call = rig.outbound("active")
    for digits in ("1", "2"):
        rig.request("event", eventChannel="x")
        rig.dtmf(call, digits)
    assert [method for method in log_of(rig, call) if method in ("event", "info")] == ["event", "info"] * 2


def test_a_book_is_emptied_by_reading_it_and_no_other_is() -> None:
    """LOG-015."""
    common = CommonLog()
    one, other = LogBook(common), LogBook(common)
    common.frame(1.0, "RECV", PING, 10)
    one.note(2.0, "info", "mine")
    assert (len(one), len(other)) == (2, 1)
    assert [entry.message for entry in one.drain()] == ["RECV", "mine"]
    assert (len(one), one.drain()) == (0, ())
    assert [entry.message for entry in other.drain()] == ["RECV"]


def test_a_book_begins_where_its_call_does() -> None:
    common = CommonLog()
    common.frame(1.0, "RECV", PING, 10)
    assert LogBook(common).drain() == ()


def test_the_bound_is_for_both_together() -> None:
    """LOG-010: the oldest go."""
    common = CommonLog()
    book = LogBook(common)
    for number in range(MAX_ENTRIES):
        common.frame(float(number), "RECV", PING, 10)
        book.note(float(number), "info", str(number))
    assert len(book) == MAX_ENTRIES
    entries = book.drain()
    assert len(entries) == MAX_ENTRIES
    assert (entries[0].wall, entries[-1].message) == (MAX_ENTRIES / 2, str(MAX_ENTRIES - 1))


def test_nothing_is_kept_for_nobody() -> None:
    rig = reporting()
    for _ in range(10):
        rig.request("event", eventChannel="x")
    assert hub_of(rig.session).common_log.written == 0


def test_a_copy_of_a_session_writes_its_own_report() -> None:
    """The recorder's fuzzer begins with a copy, and its reports were ordered by the first session."""
    first = reporting()
    call = first.outbound()
    assert log_of(deepcopy(first), call)
    assert first.session.next_action() is None
