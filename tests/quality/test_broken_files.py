"""A file that is broken, cut off, somebody else's or huge costs one line and an exit status, never a traceback."""

import json
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from telnyx_core._wire.redaction import redact
from telnyx_core.events import StatsReport
from telnyx_drivers._tools.cli.app import app
from telnyx_drivers._tools.cli.exits import Exit
from telnyx_drivers._tools.export.webrtc_internals import dump_file
from telnyx_drivers._tools.report.hide import anonymize
from telnyx_drivers._tools.report.page import render
from telnyx_drivers._tools.report.read import MAX_BYTES, read_story, story_of
from tests.quality import test_call_report as made
from tests.quality import test_debug as debugged
from tests.quality.journals import keep_journal
from tests.quality.test_story import JS_REPORT, lossy


def call_report() -> Any:
    rig, call = made.active()
    rig.advance(3)
    made.hang_up(rig, call)
    return [made.payload(upload) for upload in made.uploads(rig)]


def debug_file() -> Any:
    rig = debugged.debugging("file")
    debugged.whole_call(rig)
    [entries] = debugged.written(rig)
    return entries


def final_report() -> Any:
    rig = debugged.debugging()
    debugged.whole_call(rig)
    [report] = rig.heard_of(StatsReport)
    return json.loads(json.dumps(report.to_mapping()))


KINDS: dict[str, Callable[[], Any]] = {
    "a call report of ours": call_report,
    "a call report of the reference SDK": lambda: JS_REPORT,
    "a debug file": debug_file,
    "a final report": final_report,
}
DOCUMENTS = {name: json.dumps(make()) for name, make in KINDS.items()}

odd = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, -1, 1e308, -1e308, 10**400, float("nan"), float("inf"), 1e-320, 2**63]),
    st.sampled_from(
        ["", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z", "yesterday", "<script>", "\x00", "1e999"]
    ),
    st.text(max_size=20),
    st.sampled_from([[], {}, [[]], [{}], {"a": []}]),
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container with a key or index in it."""
    found: list[tuple[Any, Any]] = []
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        found.append((value, key))
        found += places(item)
    return found


damage = st.lists(st.tuples(st.integers(0, 10**6), odd), min_size=1, max_size=6)


def damaged(document: Any, done: list[tuple[int, Any]]) -> Any:
    for where, what in done:
        somewhere = places(document)
        if somewhere:
            container, key = somewhere[where % len(somewhere)]
            container[key] = deepcopy(what)
    return document


@pytest.mark.parametrize("kind", DOCUMENTS)
@settings(max_examples=50, deadline=None)
@given(done=damage)
@example(done=[(n, 10**400) for n in range(6)])
def test_a_document_with_anything_in_it_is_drawn_or_refused(kind: str, done: list[tuple[int, Any]]) -> None:
    document = damaged(json.loads(DOCUMENTS[kind]), done)
    try:
        story = story_of(redact(document))
    except ValueError:
        return
    page = render(anonymize(story))
    assert "NaN" not in page.split('<script type="application/json"')[-1].split("</script>")[0]
    assert "Infinity" not in page.split('<script type="application/json"')[-1].split("</script>")[0]


@cache
def journal() -> tuple[str, ...]:
    with tempfile.TemporaryDirectory() as folder:
        return tuple(keep_journal(Path(folder) / "it.journal", lossy).read_text().splitlines())


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(line=st.integers(0, 10**6), done=damage)
def test_a_journal_with_anything_in_it_is_drawn_or_refused(
    tmp_path: Path, line: int, done: list[tuple[int, Any]]
) -> None:
    lines = list(journal())
    at = line % len(lines)
    lines[at] = json.dumps(damaged(json.loads(lines[at]), done))
    path = tmp_path / "it.journal"
    path.write_text("\n".join(lines))
    try:
        story = read_story(path)
    except ValueError:
        return
    render(anonymize(story))
    with suppress(ValueError):
        dump_file(path)


def told(path: Path) -> str:
    """What ``report`` says of a file that it refuses, which is one line; there is no page then."""
    done = CliRunner().invoke(app, ["report", str(path)])
    assert done.exit_code == Exit.USAGE, (done.output, done.exception)
    assert isinstance(done.exception, SystemExit)
    assert not path.with_name(path.name + ".html").exists()
    [line] = done.stderr.splitlines()
    assert line.startswith("Error: ")
    assert path.name in line
    return line


@pytest.mark.parametrize("kind", DOCUMENTS)
@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_a_document_that_is_cut_off(tmp_path: Path, kind: str, share: float) -> None:
    path = tmp_path / "cut"
    path.write_text(DOCUMENTS[kind][: int(share * len(DOCUMENTS[kind]))])
    assert "whole JSON document" in told(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00" + bytes(200),
        b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(200),
        b"\x1f\x8b\x08\x00" + bytes(range(256)),
        '{"summary": {}}'.encode("utf-16"),
        b"2026-11-24 07:00:00 INFO telnyx_drivers._client: hello\n",
        b'{"PeerConnections": {}, "getUserMedia": []}',
        b'{"jsonrpc": "2.0", "method": "login"}\n{"jsonrpc": "2.0"}\n',
        b"[" * 100_000,
        b"[" * 900 + b"]" * 900,
        b"9" * 5000,
    ],
    ids=["nothing", "pcap", "wav", "gzip", "utf-16", "a log", "a browser's dump", "json lines", "deep", "nested", "9"],
)
def test_a_file_of_another_kind(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "foreign"
    path.write_bytes(content)
    told(path)


def test_a_huge_file_is_not_even_read(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    assert "larger than 128 MB" in told(path)


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    """Nobody will ever write into it."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    assert "no file" in told(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_must_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "private"
    path.write_text("{}")
    path.chmod(0)
    told(path)
