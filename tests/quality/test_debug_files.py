"""Debug files on a disk (DBG-020)."""

import json
import logging
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from telnyx_core._reports.timeline import Entry
from telnyx_core.actions import WriteDebug
from telnyx_drivers._services.debug_file import DebugFiles, file_name, write_private

ROOT = Path(__file__).parents[2]


def action(report: str = "b1c2", entries: int = 3) -> WriteDebug:
    return WriteDebug(report, 1_800_000_000.25, tuple(Entry(float(n), "event", "peer", n) for n in range(entries)))


@pytest.fixture
def files(tmp_path: Path) -> Iterator[DebugFiles]:
    made = DebugFiles(tmp_path, lambda: ())
    yield made
    made.close()


def test_a_file_is_private_and_whole(files: DebugFiles, tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        anyio.run(files.write(action()))
    finally:
        os.umask(old)
    [path] = tmp_path.iterdir()
    assert path.name == "webrtc-stats-b1c2-1800000000250.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    entries = json.loads(path.read_text())
    assert [entry["data"] for entry in entries] == [0, 1, 2]
    assert {entry["peerId"] for entry in entries} == {"b1c2"}


def test_a_timeline_of_nothing_is_an_empty_array(files: DebugFiles, tmp_path: Path) -> None:
    anyio.run(files.write(action(entries=0)))
    assert json.loads((tmp_path / file_name(action())).read_text()) == []


def test_an_older_file_is_there_until_the_new_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written under another name first: a process that dies half-way leaves what there was."""
    path = tmp_path / "it.json"
    path.write_text("old")

    def fails(*names: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(OSError, match="disk full"):
        write_private(path, "new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["it.json"]
    assert path.read_text() == "old"


def test_a_directory_that_is_not_there_is_an_error_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = DebugFiles(tmp_path / "nowhere", lambda: ())
    with caplog.at_level(logging.ERROR, "telnyx_drivers.reports"):
        anyio.run(files.write(action()))
    files.close()
    assert "nowhere" in caplog.text


def test_what_was_not_written_in_time_is_written_when_the_client_closes(files: DebugFiles, tmp_path: Path) -> None:
    """Its task was cancelled before it began."""
    files.write(action("left"))
    files.close()
    files.close()
    assert [path.name for path in tmp_path.iterdir()] == [file_name(action("left"))]


def test_a_process_that_ends_too_early_writes_what_there_is(tmp_path: Path) -> None:
    """DBG-020: peers that are open, and files that were on their way."""
    program = (
        "import sys; from pathlib import Path\n"
        "from telnyx_drivers._services.debug_file import DebugFiles\n"
        "from telnyx_core.actions import WriteDebug\n"
        "from telnyx_core._reports.timeline import Entry\n"
        "def made(name): return WriteDebug(name, 1.0, (Entry(0.0, 'event', 'peer'),))\n"
        "files = DebugFiles(Path(sys.argv[1]), lambda: [made('open')])\n"
        "files.write(made('pending'))\n"
        "raise SystemExit(3)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, check=False)
    assert done.returncode == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "webrtc-stats-open-1000.json",
        "webrtc-stats-pending-1000.json",
    ]
