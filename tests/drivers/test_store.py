"""The file that carries a session from one process to the next (SIG-230)."""

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from telnyx_drivers._services import store as store_module
from telnyx_drivers._services.store import LIMIT
from telnyx_drivers.asyncio import FileStore, MemoryStore

VALUES = {"token": "VSDK1", "session": {"id": "s", "at": 1.5}, "calls": ["a"]}


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_what_is_saved_is_loaded_and_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "session.json"
    before = os.umask(umask)
    try:
        FileStore(path).save(VALUES)
    finally:
        os.umask(before)
    assert FileStore(str(path)).load() == VALUES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["session.json"]


def test_a_public_file_becomes_private_when_it_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "session.json"
    path.write_text("{}")
    path.chmod(0o644)
    FileStore(path).save(VALUES)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_failed_write_leaves_the_old_file_whole(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = FileStore(tmp_path / "session.json")
    store.save(VALUES)
    store.save({"token": {1, 2}})  # type: ignore[dict-item]
    assert store.load() == VALUES
    assert "cannot be stored: TypeError" in caplog.text
    assert len(list(tmp_path.iterdir())) == 1


def test_a_link_planted_under_the_temporary_name_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / f".session.json.{os.getpid()}.new").symlink_to(victim)
    FileStore(tmp_path / "session.json").save(VALUES)
    assert victim.read_text() == "mine"
    assert FileStore(tmp_path / "session.json").load() == VALUES


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"\xff\xfe", b"[" * 100_000, b'"' + b"a" * LIMIT + b'"'])
def test_a_broken_file_counts_as_empty(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "session.json"
    path.write_bytes(content)
    assert FileStore(path).load() is None


def test_a_missing_file_is_empty_and_an_impossible_one_neither_reads_nor_writes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert FileStore(tmp_path / "none").load() is None
    assert caplog.text == ""
    nowhere = FileStore(tmp_path / "no" / "such" / "directory")
    nowhere.save(VALUES)
    assert nowhere.load() is None
    assert "cannot be stored: No such file" in caplog.text


def test_the_log_quotes_nothing_of_the_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "session.json"
    path.write_text('{"token": "pl4nted" oops}')
    assert FileStore(path).load() is None
    assert "not readable" in caplog.text
    assert "pl4nted" not in caplog.text


def test_memory_keeps_a_copy() -> None:
    store = MemoryStore()
    assert store.load() is None
    values = json.loads(json.dumps(VALUES))
    store.save(values)
    values.clear()
    assert store.load() == VALUES


def test_what_a_killed_process_left_behind_is_cleaned(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = tmp_path / f".session.json.{dead.pid}.new"
    alive = tmp_path / f".session.json.{os.getppid()}.new"
    other = tmp_path / ".session.json.notes.new"
    for path in (left, alive, other):
        path.write_text("token")
    FileStore(tmp_path / "session.json").save(VALUES)
    assert not left.exists(), "it has a token in it"
    assert alive.exists(), "its owner may be writing"
    assert other.exists(), "not ours"


def test_a_link_to_somebody_elses_file_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "session.json").symlink_to(victim)
    FileStore(tmp_path / "session.json").save(VALUES)
    assert victim.read_text() == "mine"
    assert not (tmp_path / "session.json").is_symlink()


def test_a_pipe_under_its_name_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "session.json")
    assert FileStore(tmp_path / "session.json").load() is None


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_on_a_loop_a_slow_disk_is_not_waited_for_and_the_last_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    """The thread that the loop runs in never meets ``fsync``; of what is saved meanwhile only the last is written."""
    threads: list[int] = []
    free = threading.Event()
    real = os.fsync

    def slow(descriptor: int) -> None:
        threads.append(threading.get_ident())
        free.wait(10)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    store = FileStore(tmp_path / "session.json")

    async def story() -> None:
        for number in range(50):
            store.save({"n": number})
        free.set()
        await anyio.to_thread.run_sync(store.flush)

    anyio.run(story, backend=backend)
    assert FileStore(tmp_path / "session.json").load() == {"n": 49}
    assert threading.get_ident() not in threads
    assert len(threads) <= 3


def test_outside_of_a_loop_it_is_on_the_disk_when_save_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (synced.append(descriptor), real(descriptor)))
    FileStore(tmp_path / "session.json").save(VALUES)
    assert len(synced) == 1


@pytest.mark.parametrize("path", ["", "/", "a\0b"])
def test_a_path_that_names_no_file_is_refused(path: str) -> None:
    """The thread that writes broke on it, and `disconnect` waited for that thread without end."""
    with pytest.raises(ValueError, match="path must"):
        FileStore(path)


def test_a_write_that_breaks_is_waited_for_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(path: Path, text: str) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(store_module, "_write", broken)

    async def saved() -> None:
        store = FileStore(tmp_path / "session.json")
        store.save(VALUES)
        with anyio.fail_after(10):
            await anyio.to_thread.run_sync(store.flush, abandon_on_cancel=True)

    anyio.run(saved)
    assert "ZeroDivisionError" in caplog.text
