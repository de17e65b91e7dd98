"""What is open for writing at a fork stays the parent's."""

import json
import os
import subprocess
import sys
import textwrap
import wave
from pathlib import Path

import pytest

from telnyx_core.actions import WriteDebug
from telnyx_drivers._services.debug_file import DebugFiles

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is none here")
ROOT = Path(__file__).parents[2]

PROGRAM = """
    import os, sys, wave
    from pathlib import Path
    from telnyx_drivers._services.journal import Journal
    from telnyx_drivers._audio.background_file import create_private

    journal = Journal("journal")
    journal.write({"line": "still in the buffer at the fork"})
    file = create_private(Path("call.wav"))
    tape = wave.open(file, "wb")
    tape.setparams((1, 2, 8000, 0, "NONE", ""))
    tape.writeframes(bytes(1600))
    child = os.fork()
    if child == 0:
        journal.write({"line": "of the child"})
        journal.flush()
        journal.close()
        journal.write({"line": "of the child, opened again"})
        journal.close()
        tape.writeframes(b"\\1" * 1600)
        sys.exit()  # closes both files, as every end of a program does
    assert os.waitpid(child, 0)[1] == 0
    journal.write({"line": "after it"})
    journal.close()
    tape.writeframes(bytes(1600))
    tape.close()
    file.close()
"""


def test_the_child_of_a_fork_writes_nothing_to_an_open_journal_or_recording(tmp_path: Path) -> None:
    program = [sys.executable, "-c", textwrap.dedent(PROGRAM)]
    ended = subprocess.run(
        program, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    lines = [json.loads(line)["line"] for line in (tmp_path / "journal").read_text().splitlines()]
    assert lines == ["still in the buffer at the fork", "after it"]
    with wave.open(str(tmp_path / "call.wav")) as tape:
        assert tape.readframes(10_000) == bytes(3200)


def test_the_child_of_a_fork_writes_no_debug_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither at its exit, nor when it closes its copy of a client."""
    files = DebugFiles(tmp_path, lambda: [WriteDebug("unwritten", 1.0, ())])
    files.write(WriteDebug("pending", 1.0, ()))
    with monkeypatch.context() as child:
        child.setattr(os, "getpid", lambda: 1)
        files._at_exit()
        files.close()
    assert not list(tmp_path.iterdir())
