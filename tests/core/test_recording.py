"""``enableCallRecording``: when a call is recorded and when a part of it is sent (quality.md 7)."""

from collections.abc import Sequence

import pytest

from telnyx_core.actions import AbandonPost, GiveUpUpload, PostBody, RecordCall, UploadAction, WriteRecording
from telnyx_core.facts import PostAnswered, PostFailed, RecordingFault, UploadWritten
from telnyx_core.ids import CallId
from telnyx_core.testing.rig import Rig

FAILURES = 4
"""Attempts, and then a body has failed (STATS-242)."""


def recording(ident: str | None = "report-7", **options: object) -> Rig:
    rig = Rig(**{"enable_call_recording": True, "enable_call_reports": False, **options})
    rig.connect()
    rig.login_ok()
    rig.client_ready()
    rig.gateway("REGED", **({} if ident is None else {"call_report_id": ident}))
    rig.always("ping")
    return rig


def modes(rig: Rig) -> list[str]:
    return [action.mode for action in rig.actions if isinstance(action, RecordCall)]


def parts(rig: Rig) -> list[tuple[float, str, bool]]:
    return [
        (at, action.part.track, action.part.last) for at, action in rig.timeline if isinstance(action, WriteRecording)
    ]


def orders(rig: Rig, kind: type[UploadAction]) -> Sequence[UploadAction]:
    return [action for action in rig.actions if isinstance(action, kind)]


def hang_up(rig: Rig, call: CallId) -> None:
    rig.hangup(call)
    rig.reply("bye", call=call)


def test_a_call_is_recorded_from_its_answer_to_its_end() -> None:
    """REC-010, REC-015."""
    rig = recording(call_recording_flush_interval=2.0)
    call = rig.outbound("ringing")
    assert modes(rig) == []
    rig.request("answer", callID=call, sdp="v=0\r\n")
    rig.remote_applied(call)
    rig.advance(5.0)
    hang_up(rig, call)
    assert modes(rig) == ["on", "off"]
    assert parts(rig) == [
        *((at, track, False) for at in (2.0, 4.0) for track in ("local", "remote")),
        (5.0, "local", True),
        (5.0, "remote", True),
    ]


def test_a_held_call_is_recorded_as_silence() -> None:
    """REC-010. While its socket is away it stays held."""
    rig = recording()
    call = rig.outbound("held")
    rig.lose()
    assert modes(rig) == ["on", "held"]
    rig.ready()
    rig.attach(call)
    rig.describe_answer(call)
    rig.reply("attach", {"callID": call}, call=call)
    rig.unhold(call)
    rig.reply("modify", {"holdState": "active"}, call=call)
    hang_up(rig, call)
    assert modes(rig) == ["on", "held", "on", "off"]


def test_nobody_is_recorded_unasked() -> None:
    """REC-001. Nor a call that was never answered."""
    rig = recording(enable_call_recording=False)
    hang_up(rig, rig.outbound())
    other = recording()
    hang_up(other, other.outbound("ringing"))
    assert modes(rig) == modes(other) == []


@pytest.mark.parametrize("interval", [0, 0.0])
def test_only_at_the_end(interval: float) -> None:
    """REC-002."""
    rig = recording(call_recording_flush_interval=interval, call_recording_tracks=("local",))
    call = rig.outbound()
    rig.advance(100.0)
    hang_up(rig, call)
    assert parts(rig) == [(100.0, "local", True)]


def test_a_call_that_cannot_be_recorded_is_sent_nothing_of() -> None:
    rig = recording(call_recording_flush_interval=2.0)
    call = rig.outbound()
    rig.tell(RecordingFault(call, "unavailable"))
    rig.advance(10.0)
    rig.hold(call)
    rig.reply("modify", {"holdState": "held"}, call=call)
    hang_up(rig, call)
    assert (modes(rig), parts(rig)) == (["on"], [])


def test_without_an_id_nothing_is_sent_and_nothing_is_kept() -> None:
    """REC-018."""
    rig = recording(ident=None, call_recording_flush_interval=2.0)
    call = rig.outbound()
    rig.advance(3.0)
    hang_up(rig, call)
    assert modes(rig) == ["on", "off", "dropped"]
    assert orders(rig, GiveUpUpload) == [GiveUpUpload(call, "recording", "the server gave no id")]
    assert parts(rig) == []


class Line:
    """One call with one track, whose platform answers as a test says."""

    def __init__(self, *, size: int = 100, bodies: int = 1) -> None:
        self.rig = recording(
            call_recording_flush_interval=2.0,
            call_recording_tracks=("local",),
            call_recording_sample_rate=8_000,
            call_recording_max_buffer_bytes=200_000,
        )
        self.rig.takes_reports = False
        self.rig.reflex = self._answer
        self.size, self.bodies = size, bodies
        self.status: int | None = 200
        self.posted: list[bytes] = []
        self.taken: list[bytes] = []
        self._written = 0
        self.call = self.rig.outbound()

    def _answer(self, action: object) -> Sequence[UploadWritten | PostAnswered | PostFailed]:
        match action:
            case WriteRecording(upload):
                first, self._written = self._written + 1, self._written + self.bodies
                numbers = range(first, self._written + 1)
                return [UploadWritten(upload, tuple(str(number).encode().ljust(self.size) for number in numbers))]
            case PostBody(upload, _, _, body):
                self.posted.append(body)
                if self.status is None:
                    return [PostFailed(upload, "no connection")]
                if self.status == 200:
                    self.taken.append(body)
                return [PostAnswered(upload, self.status)]
            case _:
                return []

    def numbers(self, bodies: Sequence[bytes]) -> list[int]:
        return [int(body) for body in bodies]


def test_a_part_that_failed_goes_before_the_next() -> None:
    """REC-016. While its attempts last no other is written, so that what was said meanwhile is in one piece."""
    line = Line()
    line.status = None
    line.rig.advance(5.6)
    assert line.numbers(line.posted) == [1] * FAILURES
    line.status = 200
    line.rig.advance(1.0)
    assert line.numbers(line.taken) == [1, 2]
    hang_up(line.rig, line.call)
    assert line.numbers(line.taken) == [1, 2, 3]
    assert not line.rig.session.uploading
    assert orders(line.rig, GiveUpUpload) == []


def test_it_is_kept_through_a_long_outage_as_far_as_it_fits() -> None:
    """REC-016: while it cannot be sent the driver keeps what follows."""
    line = Line(size=60_000)
    line.status = 503
    line.rig.advance(60.0)
    assert set(line.numbers(line.posted)) == {1}
    line.status = 200
    line.rig.advance(2.0)
    assert line.numbers(line.taken) == [1, 2, 3]


def test_what_does_not_fit_is_lost_the_oldest_first() -> None:
    """REC-016, REC-012."""
    line = Line(size=80_000, bodies=3)
    line.status = None
    line.rig.advance(5.6)
    line.status = 200
    line.rig.advance(1.0)
    assert line.numbers(line.taken) == [2, 3, 4, 5, 6]
    assert orders(line.rig, GiveUpUpload) == [GiveUpUpload(line.call, "recording", "no connection")]


def test_what_the_platform_does_not_want_is_not_sent_again_and_not_cut() -> None:
    """STATS-242: also of 413, for the audio is not there any more to be written anew."""
    for status in (404, 413):
        line = Line()
        line.status = status
        line.rig.advance(2.1)
        line.status = 200
        hang_up(line.rig, line.call)
        assert line.numbers(line.posted) == [1, 2]
        assert line.numbers(line.taken) == [2]
        assert len(orders(line.rig, GiveUpUpload)) == 1


def test_at_the_end_each_body_has_its_own_attempts() -> None:
    line = Line()
    line.status = None
    line.rig.advance(5.6)
    hang_up(line.rig, line.call)
    line.rig.advance(60.0)
    assert line.numbers(line.posted) == [1] * 2 * FAILURES + [2] * FAILURES
    assert len(orders(line.rig, GiveUpUpload)) == 2
    assert not line.rig.session.uploading


def test_a_client_that_leaves_waits_ten_seconds_for_it_and_then_drops_it() -> None:
    """SIG-280, STATS-245."""
    line = Line()
    line.rig.takes_reports = False
    line.rig.reflex = None
    line.rig.disconnect()
    line.rig.reply("bye", call=line.call)
    line.rig.lose(1000, clean=True)
    assert line.rig.session.uploading
    line.rig.advance(10.1)
    assert not line.rig.session.uploading
    assert len(orders(line.rig, AbandonPost)) == 1
    assert modes(line.rig) == ["on", "off", "dropped"]


def test_it_goes_where_the_reports_go() -> None:
    """REC-006, REC-015."""
    rig = recording(env="wss://gw.example.org:14938", call_recording_endpoint="/v2/audio")
    call = rig.outbound()
    hang_up(rig, call)
    for post in orders(rig, PostBody):
        assert isinstance(post, PostBody)
        assert post.url == "https://gw.example.org:14938/v2/audio"
        assert (post.headers["x-call-report-id"], post.headers["x-call-id"]) == ("report-7", call)


def test_what_is_left_of_a_recording_can_be_sent_by_another() -> None:
    """STATS-246: at the end of the process; what is not written yet cannot be."""
    from telnyx_core._time.timers import TimerTable
    from telnyx_core._uploads import UploadQueues

    line = Line()
    line.status = None
    line.rig.advance(5.6)
    actions: list[UploadAction] = []
    rest = UploadQueues(actions.append, TimerTable())
    line.rig.session.hand_uploads_over(rest, 0.0)
    [post] = actions
    assert isinstance(post, PostBody)
    assert line.numbers([post.body]) == [1]
