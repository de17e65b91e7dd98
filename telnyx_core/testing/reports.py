"""Where a client's call reports and recordings are posted, on the virtual clock."""

from collections.abc import Callable
from typing import Literal, TypeAlias, assert_never

from telnyx_core.actions import (
    AbandonPost,
    GiveUpUpload,
    PostBody,
    RecordCall,
    RecordingMode,
    UploadAction,
    WriteRecording,
    WriteReport,
)
from telnyx_core.facts import PostAnswered, PostFailed, UploadFact, UploadWritten
from telnyx_core.ids import CallId, UploadId
from telnyx_core.testing.clock import VirtualClock
from telnyx_core.testing.contract import ContractViolation

Mood: TypeAlias = Literal["well", "slow", "busy", "down", "silent"]
"""Answers at once, after four seconds, or with 503 and ``Retry-After``; refuses connections; answers nothing at all."""

_SECONDS = {"well": 0.05, "slow": 4.0, "busy": 0.05, "down": 0.05}
_RETRY_AFTER = 7.0


class ReportServer:
    """Performs the `UploadAction` of one client. Raises `ContractViolation` where a body arrives twice."""

    def __init__(self, clock: VirtualClock, tell: Callable[[UploadFact], None]) -> None:
        self.mood: Mood = "well"
        self.taken: list[bytes] = []
        """Every body that was answered with 200, in order."""
        self.written: list[bytes] = []
        self.recordings: list[tuple[CallId, RecordingMode]] = []
        self.given_up = 0
        """Parts that the client says it has lost."""
        self._clock = clock
        self._tell = tell
        self._posts: dict[UploadId, bytes] = {}
        self._seen: set[bytes] = set()

    @property
    def missing(self) -> int:
        """Bodies that were written and have not arrived."""
        return len(self.written) - len(self.taken)

    def perform(self, action: UploadAction) -> None:
        match action:
            case WriteReport(upload, segment, number, limit):
                bodies = segment.bodies(number, list(segment.lines()), limit)
                self.written += bodies
                self._clock.after(0.0, lambda: self._tell(UploadWritten(upload, bodies)))
            case WriteRecording(upload, part):
                body = f"{part.call} {part.track} {upload}".encode()
                self.written.append(body)
                self._clock.after(0.0, lambda: self._tell(UploadWritten(upload, (body,))))
            case RecordCall(call, mode):
                self.recordings.append((call, mode))
            case PostBody(upload, _, _, body):
                self._posts[upload] = body
                if (seconds := _SECONDS.get(self.mood)) is not None:
                    self._clock.after(seconds, lambda: self._answer(upload))
            case AbandonPost(upload):
                self._posts.pop(upload, None)
            case GiveUpUpload():
                self.given_up += 1
            case _:
                assert_never(action)

    def _answer(self, upload: UploadId) -> None:
        body = self._posts.pop(upload, None)
        if body is None:
            return
        if self.mood == "down":
            self._tell(PostFailed(upload, "connection refused"))
        elif self.mood == "busy":
            self._tell(PostAnswered(upload, 503, _RETRY_AFTER))
        else:
            if body in self._seen:
                raise ContractViolation("a part of a call's report arrives twice")
            self._seen.add(body)
            self.taken.append(body)
            self._tell(PostAnswered(upload, 200))
