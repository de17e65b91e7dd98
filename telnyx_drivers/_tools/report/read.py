"""Reads any file that describes a call, as a story."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast

from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core._wire.redaction import redact
from telnyx_core.journal.recorded_session import Replay
from telnyx_drivers._tools.report.call_timeline import Story
from telnyx_drivers._tools.report.from_call_report import is_call_report, read_call_report
from telnyx_drivers._tools.report.from_debug import is_timeline, read_debug
from telnyx_drivers._tools.report.from_journal import read_journal
from telnyx_drivers._tools.report.from_stats_report import is_stats_report, read_stats_report

MAX_BYTES: Final = 128 * 1024 * 1024
"""Twice the largest journal."""


def read_story(path: Path) -> Story:
    """Raises `OSError`, or `ValueError` for a file that is none of those that tell of a call."""
    if not path.is_file():
        raise ValueError("it is no file")
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES // 1024 // 1024} MB")
    text = path.read_text(encoding="utf-8")
    if text.startswith('{"journal"'):
        return read_journal(Replay.from_lines(text.splitlines()))
    try:
        value = cast("Json", json.loads(text))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"neither a journal nor a whole JSON document: {error}") from None
    # A browser's report has whole logins in its logs.
    return story_of(redact(value))


def story_of(value: Json) -> Story:
    """Of a JSON document. Raises `ValueError`."""
    listed = [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
    if is_timeline(listed):
        return read_debug(listed)
    if listed and all(is_call_report(entry) for entry in listed):
        return read_call_report(listed)
    if isinstance(value, dict):
        found: Sequence[JsonObject] = [value]
        if is_call_report(value):
            return read_call_report(found)
        if is_stats_report(value):
            return read_stats_report(value)
    raise ValueError("neither a journal, a debug file, a call report nor a final report")
