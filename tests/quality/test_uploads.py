"""Reports on their way: attempts, order, and what happens when they do not get through (quality.md 4.4)."""

import itertools
import json
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from attrs import evolve

from telnyx_core._reports.segment import Flush
from telnyx_core.actions import UploadReport
from telnyx_core.ids import CallId
from telnyx_drivers._reach.http_post import Overloaded
from telnyx_drivers._services import reports
from telnyx_drivers._services.reports import Uploads
from tests.quality import test_call_report as made

pytestmark = pytest.mark.anyio


class Platform:
    """Answers with the statuses that it is given, in order, then with 200. ``None``: the network fails."""

    def __init__(self, *statuses: int | None, takes: float = 0.0) -> None:
        self.statuses = list(statuses)
        self.takes = takes
        self.posts: list[tuple[float, str, Mapping[str, str], bytes]] = []
        self.accepted: list[dict[str, Any]] = []
        self.closed = False

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        self.posts.append((anyio.current_time(), url, headers, body))
        await anyio.sleep(self.takes)
        status = self.statuses.pop(0) if self.statuses else 200
        if status is None:
            raise ConnectionRefusedError("nobody there")
        if status == 200:
            self.accepted.append(json.loads(body))
        return status

    async def aclose(self) -> None:
        self.closed = True

    @property
    def waits(self) -> list[float]:
        times = [at for at, *_ in self.posts]
        return [round(later - earlier, 3) for earlier, later in itertools.pairwise(times)]


@asynccontextmanager
async def uploading(platform: Platform | None) -> AsyncIterator[Uploads]:
    async with anyio.create_task_group() as group:

        def spawn(work: Callable[[], Awaitable[None]], ended: Callable[[], None]) -> None:
            async def run() -> None:
                try:
                    await work()
                finally:
                    ended()

            group.start_soon(run)

        async def make() -> Platform | None:
            await anyio.lowlevel.checkpoint()
            return platform

        uploads = Uploads(spawn, make)
        yield uploads
    await uploads.aclose()


def parts(count: int = 1, **options: object) -> list[UploadReport]:
    """The parts of one call's report, the last one final."""
    rig, call = made.active(**options)
    rig.advance(2)
    for _ in range(count - 1):
        rig.lose(1001, clean=True)
        rig.ready(call)
        rig.advance(1)
    made.hang_up(rig, call)
    found = made.uploads(rig)
    assert len(found) == count
    return found


async def send(platform: Platform, actions: list[UploadReport]) -> None:
    async with uploading(platform) as uploads:
        for action in actions:
            uploads.add(action)
        await uploads.drain(60)


async def test_a_report_is_sent_as_the_platform_wants_it() -> None:
    """STATS-240, STATS-241."""
    [action] = parts(env="ws://127.0.0.1:8021")
    platform = Platform()
    await send(platform, [action])
    [(_, url, headers, _)] = platform.posts
    assert url == "http://127.0.0.1:8021/call_report"
    assert headers["x-call-report-id"] == "report-7"
    assert platform.accepted[0]["summary"]["callId"] == action.segment.call.id
    assert platform.closed


@pytest.mark.parametrize("trouble", [503, 500, 429, None])
async def test_it_is_tried_again(trouble: int | None) -> None:
    """STATS-506, STATS-407."""
    platform = Platform(trouble, trouble)
    await send(platform, parts())
    assert platform.waits == [0.5, 1.0]
    assert len(platform.accepted) == 1


async def test_but_not_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    """STATS-242, STATS-243: four attempts, and one line in the log."""
    platform = Platform(*[503] * 9)
    with caplog.at_level(logging.INFO, "telnyx_drivers.reports"):
        await send(platform, parts())
    assert platform.waits == [0.5, 1.0, 2.0]
    assert [record.levelname for record in caplog.records] == ["WARNING"]


async def test_that_none_can_be_sent_stands_in_the_log_once_for_a_client(caplog: pytest.LogCaptureFixture) -> None:
    """Not for every call of a day on which the platform takes no reports."""
    with caplog.at_level(logging.DEBUG, "telnyx_drivers.reports"):
        await send(Platform(*[None] * 40), [*parts(2), *parts(3)])
    told = [(record.levelname, record.args) for record in caplog.records if "could not be sent" in record.msg]
    assert [level for level, _ in told] == ["WARNING", "DEBUG", "DEBUG", "DEBUG", "DEBUG"]


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_a_definite_no_is_taken_for_one(status: int) -> None:
    """STATS-507."""
    platform = Platform(status)
    await send(platform, parts())
    assert len(platform.posts) == 1


async def test_what_is_too_large_is_sent_in_halves() -> None:
    """STATS-242: once, and numbered."""
    platform = Platform(413)
    await send(platform, parts())
    whole = json.loads(platform.posts[0][3])
    assert "segment" not in whole
    assert [part["segment"] for part in platform.accepted] == list(range(len(platform.accepted)))
    assert len(platform.accepted) in (2, 3)
    assert [entry for part in platform.accepted for entry in part["stats"]] == whole["stats"]


async def test_what_is_still_too_large_is_given_up() -> None:
    """The other parts are not, and their numbers tell that one is missing."""
    platform = Platform(413, 413)
    await send(platform, parts())
    assert platform.accepted[0]["segment"] == 1


async def test_a_server_that_does_not_answer_is_given_ten_seconds() -> None:
    """STATS-243, STATS-408."""
    platform = Platform(takes=11.0)
    async with uploading(platform) as uploads:
        uploads.add(parts()[0])
        await anyio.sleep(20)
        platform.takes = 0.0
        await uploads.drain(60)
    assert platform.waits == [10.5, 11.0]
    assert len(platform.accepted) == 1


async def test_parts_are_numbered_and_in_order() -> None:
    """STATS-224."""
    platform = Platform()
    await send(platform, parts(3))
    assert [part["segment"] for part in platform.accepted] == [0, 1, 2]
    reasons = [part.get("flushReason", {}).get("type") for part in platform.accepted]
    assert reasons == ["socket-close", "socket-close", None]


async def test_a_part_that_failed_goes_before_the_next() -> None:
    """STATS-225: under its own number."""
    platform = Platform(*[None] * 4)
    await send(platform, parts(2))
    assert [part["segment"] for part in platform.accepted] == [0, 1]


async def test_a_call_that_another_process_goes_on_with_is_forgotten_here() -> None:
    """STATS-222: what comes of it again, in whatever process, is counted anew."""
    rig, _ = made.active()
    rig.advance(2)
    [left] = rig.session.unsent_reports()
    platform = Platform()
    async with uploading(platform) as uploads:
        for _ in range(2):
            uploads.add(left)
            await uploads.drain(60)
    assert [part["segment"] for part in platform.accepted] == [0, 0]


async def test_a_part_that_was_refused_is_lost() -> None:
    platform = Platform(401)
    await send(platform, parts(2))
    assert [part["segment"] for part in platform.accepted] == [1]


async def test_two_calls_do_not_wait_for_each_other() -> None:
    platform = Platform(takes=5.0)
    actions = parts() + [
        evolve(action, segment=evolve(action.segment, call=evolve(action.segment.call, id=CallId("other"))))
        for action in parts()
    ]
    async with uploading(platform) as uploads:
        started = anyio.current_time()
        for action in actions:
            uploads.add(action)
        await uploads.drain(60)
        assert anyio.current_time() - started == pytest.approx(5.0)
    assert platform.waits == [0.0]


async def test_a_client_that_leaves_does_not_wait_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    """STATS-245, STATS-409, SIG-280."""
    platform = Platform(takes=9.0)
    async with uploading(platform) as uploads:
        for action in parts(3):
            uploads.add(action)
        started = anyio.current_time()
        await uploads.drain()
        assert anyio.current_time() - started == pytest.approx(10.0)
        platform.takes = 0.0
    assert "not sent in time" in caplog.text


async def test_nothing_on_its_way_is_nothing_to_wait_for() -> None:
    async with uploading(Platform()) as uploads:
        started = anyio.current_time()
        await uploads.drain()
        assert anyio.current_time() == started


async def test_without_the_extra_nothing_is_sent_and_nothing_breaks() -> None:
    async with uploading(None) as uploads:
        for action in parts(2):
            uploads.add(action)
        await uploads.drain()
        uploads.add(parts()[0])
        await uploads.drain()


def test_the_missing_extra_is_told_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setitem(sys.modules, "httpx2", None)
    monkeypatch.delitem(sys.modules, "telnyx_drivers._reach.http_post", raising=False)
    assert reports.make_poster(None) is None
    assert "telnyx-rtc[http]" in caplog.text


async def test_parts_that_wait_too_long_are_dropped_and_not_kept_for_ever() -> None:
    """Each part is minutes of a call: a platform that answers none of them must not fill the memory."""
    action = evolve_flush(parts()[0])
    platform = Platform(takes=9.9)
    async with uploading(platform) as uploads:
        for _ in range(40):
            uploads.add(action)
        await uploads.drain(1000)
    assert len(platform.posts) < 12


async def test_a_report_that_breaks_is_logged_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    """A fault of ours must not cost a call, nor keep a client from leaving."""

    async def broken(poster: object) -> None:
        raise ZeroDivisionError

    platform = Platform()
    async with uploading(platform) as uploads:
        uploads.run("broken", broken)
        await uploads.drain()
        uploads.add(parts()[0])
        await uploads.drain()
    assert "broke on its way" in caplog.text
    assert len(platform.accepted) == 1


def evolve_flush(action: UploadReport) -> UploadReport:
    return evolve(action, segment=evolve(action.segment, flush=Flush("manual")))


async def test_a_server_that_is_overloaded_is_left_alone_as_long_as_it_asks() -> None:
    """RFC 9110 section 10.2.3; within a minute, and never sooner than STATS-242 says."""

    class Busy(Platform):
        async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
            status = await super().post(url, headers, body)
            if status != 200:
                raise Overloaded(503, float(status))
            return status

    platform = Busy(0, 7, 86_400)
    await send(platform, parts())
    assert platform.waits == [0.5, 7.0, 60.0]


async def test_a_part_that_breaks_costs_none_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = Uploads._send
    broken = iter([UnicodeEncodeError("ascii", "ü", 0, 1, "no"), None])

    async def once(*arguments: Any) -> None:
        if (error := next(broken)) is not None:
            raise error
        await sent(*arguments)

    monkeypatch.setattr(Uploads, "_send", once)
    platform = Platform()
    async with uploading(platform) as uploads:
        for action in parts(2):
            uploads.add(action)
        await uploads.drain(60)
        assert not uploads.busy
        assert not uploads._queues
    assert len(platform.accepted) == 1
