"""Call reports on their way: attempts, order, numbers, and what becomes of those that are lost (quality.md 4.4)."""

import heapq
import itertools
import json
from collections import deque
from collections.abc import Mapping
from typing import Any

import pytest
from attrs import evolve

from telnyx_core._reports.log_book import LogEntry
from telnyx_core._reports.segment import Flush, Segment
from telnyx_core._time.timers import Timer, TimerTable
from telnyx_core._uploads import MOST_AT_ONCE, MOST_WAITING, UploadQueues
from telnyx_core.actions import AbandonPost, GiveUpUpload, PostBody, UploadAction, WriteReport
from telnyx_core.facts import PostAnswered, PostFailed, UploadFact, UploadWritten
from telnyx_core.ids import CallId, UploadId
from telnyx_core.journal.record import Scrubber, action_record, fact_from_record, fact_record
from telnyx_core.options import ClientOptions
from telnyx_core.states import CallState, SessionState
from telnyx_core.testing.rig import Rig
from telnyx_core.testing.sim import ALICE, Sim
from tests.inside import hub_of


class Platform:
    """`UploadQueues` on a virtual clock. ``statuses`` are answered in order, then 200; ``None``: no connection."""

    def __init__(self, *statuses: int | None, takes: float = 0.0, retry_after: float | None = None) -> None:
        self.statuses = list(statuses)
        self.takes = takes
        self.retry_after = retry_after
        self.now = 0.0
        self.posts: list[tuple[float, Mapping[str, str], bytes]] = []
        self.accepted: list[dict[str, Any]] = []
        self.given_up: list[str] = []
        self.most_at_once = 0
        self.timers = TimerTable()
        self.actions: deque[UploadAction] = deque()
        self.uploads = UploadQueues(self.actions.append, self.timers)
        self._serial = itertools.count()
        self._coming: list[tuple[float, int, UploadFact]] = []
        self._bodies: dict[UploadId, bytes] = {}

    def add(self, *parts: Segment) -> None:
        for part in parts:
            self.uploads.add(part, self.now)
        self.perform()

    def send(self, *parts: Segment, within: float = 1000.0) -> None:
        self.add(*parts)
        self.run(within)

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while True:
            first = self.timers.next()
            due = min(
                self._coming[0][0] if self._coming else until + 1,
                until + 1 if first is None else first[0],
            )
            if due > until:
                self.now = until
                return
            self.now = due
            for key in self.timers.expired(due):
                self.uploads.timed_out(key.timer, key.owner, due)
            while self._coming and self._coming[0][0] <= due:
                fact = heapq.heappop(self._coming)[2]
                if isinstance(fact, PostAnswered) and fact.status == 200 and fact.upload in self._bodies:
                    self.accepted.append(json.loads(self._bodies[fact.upload]))
                self._bodies.pop(fact.upload, None)
                self.uploads.handle_fact(fact, due)
            self.perform()

    def perform(self) -> None:
        while self.actions:
            match self.actions.popleft():
                case WriteReport(upload, segment, number, limit):
                    self._tell(0.0, UploadWritten(upload, segment.bodies(number, list(segment.lines()), limit)))
                case PostBody(upload, _, headers, body):
                    self.posts.append((self.now, headers, body))
                    self._bodies[upload] = body
                    self.most_at_once = max(self.most_at_once, len(self._bodies))
                    status = self.statuses.pop(0) if self.statuses else 200
                    answer = PostFailed(upload, "refused") if status is None else self._answer(upload, status)
                    self._tell(self.takes, answer)
                case AbandonPost(upload):
                    self._bodies.pop(upload, None)
                case GiveUpUpload(_, _, reason):
                    self.given_up.append(reason)

    def _answer(self, upload: UploadId, status: int) -> PostAnswered:
        return PostAnswered(upload, status, None if status == 200 else self.retry_after)

    def _tell(self, after: float, fact: UploadFact) -> None:
        heapq.heappush(self._coming, (self.now + after, next(self._serial), fact))

    @property
    def waits(self) -> list[float]:
        return [round(later[0] - earlier[0], 3) for earlier, later in itertools.pairwise(self.posts)]

    @property
    def numbers(self) -> list[int | None]:
        return [body.get("segment") for body in self.accepted]


def part(at: float = 0.0, flush: str | None = "manual", call: str = "c-1", lines: int = 3) -> Segment:
    """A part of a call's report; without ``flush`` the last one."""
    return evolve(
        _SEGMENT,
        call=evolve(_SEGMENT.call, id=CallId(call)),
        at=at,
        flush=None if flush is None else Flush(flush),  # type: ignore[arg-type]
        entries=(),
        logs=tuple(LogEntry(at + line, "info", f"line {line}") for line in range(lines)),
    )


def reporting() -> Rig:
    rig = Rig()
    rig.connect()
    rig.login_ok()
    rig.client_ready()
    rig.gateway("REGED", call_report_id="report-7")
    rig.always("ping")
    rig.metered = True
    rig.takes_reports = False
    return rig


def _a_segment() -> Segment:
    rig = reporting()
    rig.outbound()
    rig.advance(2)
    [segment] = rig.session.unsent_reports()
    return segment


_SEGMENT = _a_segment()


def last(at: float = 9.0, call: str = "c-1") -> Segment:
    return part(at, None, call)


def test_a_report_is_posted_with_its_ids() -> None:
    """STATS-240, STATS-241."""
    platform = Platform()
    platform.send(last())
    [(_, headers, _)] = platform.posts
    assert (headers["x-call-report-id"], headers["x-call-id"]) == ("report-7", "c-1")
    assert platform.accepted[0]["summary"]["callId"] == "c-1"
    assert not platform.uploads.busy


@pytest.mark.parametrize("trouble", [503, 500, 429, 302, None])
def test_it_is_tried_again(trouble: int | None) -> None:
    """STATS-506, STATS-407."""
    platform = Platform(trouble, trouble)
    platform.send(last())
    assert platform.waits == [0.5, 1.0]
    assert len(platform.accepted) == 1


def test_four_attempts_are_made() -> None:
    """STATS-242, STATS-243."""
    platform = Platform(*[503] * 9)
    platform.send(last())
    assert platform.waits == [0.5, 1.0, 2.0]
    assert platform.given_up == ["the platform answers 503"]


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_definite_refusal_is_not_repeated(status: int) -> None:
    """STATS-507."""
    platform = Platform(status)
    platform.send(part(), last())
    assert platform.given_up == [f"the platform answers {status}"]
    assert platform.numbers == [1]


def test_a_busy_server_is_left_alone_as_long_as_it_asks() -> None:
    """RFC 9110 section 10.2.3; within a minute, and never sooner than STATS-242 says."""
    for asked, waits in ((0.0, [0.5, 1.0, 2.0]), (7.0, [7.0, 7.0, 7.0]), (86_400.0, [60.0, 60.0, 60.0])):
        platform = Platform(503, 503, 503, retry_after=asked)
        platform.send(last())
        assert platform.waits == waits


def test_what_is_too_large_is_sent_in_halves() -> None:
    """STATS-242: once, and numbered."""
    platform = Platform(413)
    platform.send(last())
    whole = json.loads(platform.posts[0][2])
    assert "segment" not in whole
    assert platform.numbers == list(range(len(platform.accepted)))
    assert len(platform.accepted) in (2, 3)
    assert [entry for body in platform.accepted for entry in body.get("logs", [])] == whole["logs"]


def test_what_is_still_too_large_is_given_up_and_its_number_is_missing() -> None:
    platform = Platform(413, 413)
    platform.send(last())
    assert platform.numbers[0] == 1
    assert platform.given_up == ["the platform answers 413"]


def test_a_later_body_that_is_too_large_is_given_up_alone() -> None:
    """To write the part anew would send its first body twice."""
    platform = Platform(413, 200, 413)
    platform.send(last())
    assert 0 in platform.numbers
    assert 1 not in platform.numbers
    assert platform.given_up == ["the platform answers 413"]


def test_a_server_that_does_not_answer_is_given_ten_seconds() -> None:
    """STATS-243, STATS-408. What it says afterwards is of a post that was abandoned."""
    platform = Platform(takes=11.0)
    platform.add(last())
    platform.run(20)
    platform.takes = 0.0
    platform.run(60)
    assert platform.waits == [10.5, 11.0]
    assert len(platform.accepted) == 1


def test_parts_are_numbered_and_in_order() -> None:
    """STATS-224."""
    platform = Platform(takes=1.0)
    platform.send(part(1.0), part(2.0), last())
    assert platform.numbers == [0, 1, 2]
    assert platform.most_at_once == 1
    reasons = [body.get("flushReason", {}).get("type") for body in platform.accepted]
    assert reasons == ["manual", "manual", None]


def test_a_part_that_failed_goes_before_the_next_under_its_own_number() -> None:
    """STATS-225."""
    platform = Platform(*[None] * 4)
    platform.send(part(1.0))
    assert not platform.uploads.busy
    platform.send(last())
    assert platform.numbers == [0, 1]
    assert platform.given_up == []


def test_a_part_that_fails_again_is_given_up_and_the_next_is_not() -> None:
    platform = Platform(*[None] * 8)
    platform.send(part(1.0), last())
    assert platform.given_up == ["refused"]
    assert platform.numbers == [1]


def test_each_lost_part_is_given_up_once() -> None:
    platform = Platform(*[None] * 40)
    platform.send(part(1.0), part(2.0), last())
    assert len(platform.given_up) == 3
    assert platform.accepted == []


def test_after_the_last_part_the_numbers_begin_anew() -> None:
    """STATS-222: whoever has the call next counts anew."""
    platform = Platform()
    for _ in range(2):
        platform.send(part(1.0, "page-unload"))
    assert platform.numbers == [0, 0]
    platform.send(part(1.0, "page-unload"), part(2.0, "page-unload"))
    assert platform.numbers == [0, 0, 0, 0]


def test_two_calls_do_not_wait_for_each_other() -> None:
    platform = Platform(takes=5.0)
    platform.send(last(), last(call="c-2"), within=6.0)
    assert platform.waits == [0.0]
    assert len(platform.accepted) == 2


def test_a_thousand_calls_wait_for_each_other() -> None:
    """All of them have a part when their socket is lost."""
    platform = Platform(takes=0.1)
    platform.send(*(last(call=f"c-{number}") for number in range(100)))
    assert platform.most_at_once == MOST_AT_ONCE
    assert len(platform.accepted) == 100


def test_parts_that_wait_too_long_are_given_up_the_oldest_first() -> None:
    """Each part is minutes of a call: a platform that answers none of them must not fill the memory."""
    platform = Platform(takes=9.0)
    platform.send(*(part(float(at)) for at in range(40)))
    assert len(platform.accepted) == MOST_WAITING + 1
    assert len(platform.given_up) == 40 - MOST_WAITING - 1


def test_a_driver_that_cannot_send_is_asked_for_nothing_more() -> None:
    platform = Platform()
    platform.uploads.add(part(), 0.0)
    platform.uploads.add(last(), 0.0)
    for upload in (1, 2):
        [order] = platform.actions
        assert isinstance(order, WriteReport)
        platform.actions.clear()
        platform.uploads.handle_fact(UploadWritten(UploadId(upload), ()), 0.0)
    assert not platform.actions
    assert not platform.uploads.busy


def test_a_session_that_ends_waits_ten_seconds_for_its_reports() -> None:
    """STATS-245, STATS-409, SIG-280."""
    platform = Platform(takes=9.0)
    platform.add(part(1.0), part(2.0), last(), last(call="c-2"))
    platform.uploads.leave(0.0)
    platform.run(9.9)
    assert platform.uploads.busy
    platform.run(0.1)
    assert not platform.uploads.busy
    assert platform.timers.next() is None
    assert platform.given_up == ["the client has left"]
    assert (len(platform.accepted), len(platform.posts)) == (2, 3)


def test_calls_that_have_not_begun_to_send_are_given_up_as_well() -> None:
    platform = Platform(takes=60.0)
    platform.add(*(last(call=f"c-{number}") for number in range(MOST_AT_ONCE + 2)))
    platform.uploads.leave(0.0)
    platform.run(60)
    assert len(platform.given_up) == MOST_AT_ONCE + 2
    assert platform.timers.next() is None


def test_a_session_that_begins_again_takes_the_limit_back() -> None:
    platform = Platform(takes=6.0)
    platform.add(part(1.0), last())
    platform.uploads.leave(0.0)
    platform.uploads.stay()
    platform.run(60)
    assert platform.numbers == [0, 1]


def test_nothing_under_way_is_nothing_to_wait_for() -> None:
    platform = Platform()
    platform.uploads.leave(0.0)
    assert platform.timers.next() is None


def test_what_is_left_can_be_sent_by_another_and_no_body_twice() -> None:
    """STATS-246: at the end of the process, on a loop of its own."""
    platform = Platform(413, takes=1.0)
    platform.add(part(1.0, lines=6), part(2.0))
    platform.run(2.5)
    sent = len(platform.accepted)
    assert sent, "some of the first part has arrived"
    at_exit = Platform()
    platform.uploads.rest_of([part(3.0, "page-unload")], at_exit.uploads, 0.0)
    at_exit.perform()
    at_exit.run(10)
    assert platform.numbers + at_exit.numbers == list(range(sent + len(at_exit.accepted)))


def test_a_part_that_is_being_written_is_written_by_the_other() -> None:
    platform = Platform()
    platform.uploads.add(part(1.0), 0.0)
    at_exit = Platform()
    platform.uploads.rest_of([last(call="c-2")], at_exit.uploads, 0.0)
    at_exit.perform()
    at_exit.run(10)
    assert sorted(body["summary"]["callId"] for body in at_exit.accepted) == ["c-1", "c-2"]


def test_what_cannot_be_kept_is_given_up() -> None:
    """More than one body could hold is not carried along."""
    platform = Platform(*[None] * 4)
    big = evolve(part(1.0), logs=tuple(LogEntry(0.0, "info", "x" * 100_000) for _ in range(40)))
    platform.send(big)
    assert platform.given_up == ["refused"]
    platform.send(last())
    assert len(platform.accepted) == 1


# In the session.


def test_the_session_ends_before_its_reports_have_left_and_holds_nothing_after_ten_seconds() -> None:
    rig = reporting()
    call = rig.outbound()
    rig.advance(2)
    rig.disconnect()
    rig.reply("bye", call=call)
    rig.lose(1000, clean=True)
    assert rig.state is SessionState.IDLE
    assert rig.session.uploading
    rig.advance(9.9)
    assert rig.session.uploading
    rig.advance(0.2)
    assert not rig.session.uploading
    assert rig.at_rest


def test_connecting_again_gives_the_reports_their_time_back() -> None:
    rig = reporting()
    call = rig.outbound()
    rig.advance(2)
    rig.disconnect()
    rig.reply("bye", call=call)
    rig.lose(1000, clean=True)
    rig.ready()
    rig.advance(20)
    assert rig.session.uploading


def test_a_process_that_slept_has_not_waited_for_the_answer() -> None:
    """SIG-482: the answer may have been there all the time."""
    rig = reporting()
    call = rig.outbound()
    rig.advance(2)
    rig.takes_reports = True
    rig.hangup(call)
    rig.takes_reports = False
    rig.clear()
    rig.reply("bye", call=call)
    [write] = [action for action in rig.actions if isinstance(action, WriteReport)]
    rig.tell(UploadWritten(write.upload, (b"{}",)))
    [post] = [action for action in rig.actions if isinstance(action, PostBody)]
    rig.now += 600
    rig.session.handle_timeout(now=rig.now)
    rig.drain()
    rig.tell(PostAnswered(post.upload, 200))
    assert not rig.session.uploading
    assert not [action for action in rig.actions if isinstance(action, AbandonPost)]


def test_a_journal_holds_the_size_of_a_report_and_nothing_else_of_it() -> None:
    scrubber = Scrubber()
    written = UploadWritten(UploadId(3), (b"secret", b"more"))
    record = fact_record(written, scrubber)
    assert record == {"is": "UploadWritten", "upload": 3, "bytes": [6, 4]}
    again = fact_from_record(record)
    assert isinstance(again, UploadWritten)
    assert [len(body) for body in again.bodies] == [6, 4]
    home = _SEGMENT.home
    post = action_record(PostBody(UploadId(4), home.url, home.headers(CallId("c")), b"secret"), scrubber)
    assert post == {"is": "PostBody", "upload": 4, "url": home.url, "bytes": 6}


@pytest.mark.parametrize("sizes", [[1 << 40], None, ["x"]])
def test_a_broken_journal_does_not_fill_the_memory(sizes: Any) -> None:
    record = {"is": "UploadWritten", "upload": 3, "bytes": sizes}
    try:
        made = fact_from_record(record)
    except ValueError:
        return
    assert isinstance(made, UploadWritten)
    assert made.bodies == ()


REPORTS = evolve(ALICE, call_report_interval=1.0)
RECORDINGS = evolve(ALICE, enable_call_recording=True, enable_call_reports=False, call_recording_flush_interval=1.0)


@pytest.mark.parametrize(
    ("options", "more_than", "modes"),
    [pytest.param(REPORTS, 0, [], id="reports"), pytest.param(RECORDINGS, 12, ["on", "off"] * 5, id="recordings")],
)
def test_a_sim_s_platform_gets_every_part_once_whatever_its_mood(
    options: ClientOptions, more_than: int, modes: list[str]
) -> None:
    sim = Sim(options)
    client = sim.ready()
    for mood in ("slow", "busy", "down", "silent", "well"):
        call = client.new_call()
        sim.run_until(lambda: client.state_of(call) is CallState.ACTIVE)  # noqa: B023
        client.reports.mood = mood  # type: ignore[assignment]
        sim.run(3)
        client.hangup(call)
        sim.run(20)
    client.reports.mood = "well"
    sim.run(100)
    assert len(client.reports.taken) > more_than
    assert client.reports.missing == client.reports.given_up
    assert [mode for _, mode in client.reports.recordings] == modes
    assert not client.session.uploading
    assert Timer.UPLOAD_LIMIT not in {key for key, _ in hub_of(client.session).timers.armed}
