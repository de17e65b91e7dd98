"""A recorded session, as a file: what the server, the client and the application said and did, and when.

JSON lines, the first one ``{"dir": "meta"}``; then, in the order in which it happened, each with its ``t_ms``:

| dir | members |
|---|---|
| `app` | a command of the application; ``op``: ``create``, ``invoke``, ``newCall``, ``call``, ``media``, ``recovery`` |
| `net` | ``what``: ``ws.open``, or ``ws.closed`` with ``code`` and ``reason``; ``sock`` counts sockets from 1 |
| `net` | ``what``: ``offline``, ``online``: what the host says of its network |
| `s2c` | what the server said on a ``sock``: ``frame``, or ``raw`` for a text that is no JSON object |
| `c2s` | the ``frame`` that the recorded client said on a ``sock`` |

Lines of any other ``dir`` are passed over, as are outcomes of commands (``ret``). ``tests/transcripts`` has examples.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import cast

from attrs import field, frozen

from telnyx_core._wire.codec import integer, mapping, string
from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core.testing.wire import EPOCH


@frozen
class Line:
    number: int
    at: float
    """Seconds since the recording began."""
    kind: str
    record: JsonObject = field(repr=False)

    @property
    def socket(self) -> int:
        return integer(self.record, "sock") or 0

    @property
    def frame(self) -> JsonObject:
        return mapping(self.record, "frame")


@frozen
class Transcript:
    meta: JsonObject
    lines: tuple[Line, ...] = field(repr=False)

    @classmethod
    def from_file(cls, path: str) -> "Transcript":
        """Raises `OSError`, or `ValueError` when the file is no transcript."""
        with open(path, encoding="utf-8") as lines:  # noqa: PTH123  # as a journal is opened: pathlib is banned
            return cls.from_lines(lines)

    @classmethod
    def from_lines(cls, lines: Iterable[str]) -> "Transcript":
        read = [_line(number, text) for number, text in enumerate(lines, 1) if text.strip()]
        if not read or read[0].kind != "meta":
            raise ValueError("not a transcript: its first line is no meta")
        return cls(read[0].record, tuple(read[1:]))

    @property
    def began(self) -> float:
        """Epoch seconds, from the meta's ``started`` (ISO 8601): a token that was recorded expires when it did."""
        started = string(self.meta, "started")
        if started is None:
            return EPOCH
        moment = datetime.fromisoformat(started)
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def _line(number: int, text: str) -> Line:
    record = cast("Json", json.loads(text))
    if not isinstance(record, dict):
        raise ValueError(f"line {number}: not an object")
    kind, at = record.get("dir"), record.get("t_ms", 0)
    if not isinstance(kind, str) or isinstance(at, bool) or not isinstance(at, int | float):
        raise ValueError(f"line {number}: a line has a dir and a t_ms")
    if kind == "c2s" and not mapping(record, "frame"):
        raise ValueError(f"line {number}: the client said no frame")
    return Line(number, at / 1000, kind, record)
