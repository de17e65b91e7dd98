"""Whatever is written for the owner of a call goes where it was told to, and not where somebody has laid a link to."""

import os
from pathlib import Path
from types import ModuleType

import pytest

from telnyx_drivers._audio import background_file
from telnyx_drivers._private_file import open_private
from telnyx_drivers._services import journal
from telnyx_drivers._services.debug_file import write_private
from telnyx_drivers._tools.prove import bundle


def test_a_planted_link_is_refused(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    link = tmp_path / "call.wav"
    link.symlink_to(victim)
    with pytest.raises(OSError, match=r"(?i)symbolic|loop|links"):
        background_file.create_private(link)
    assert victim.read_text() == "mine"


def test_a_page_is_not_written_where_a_link_stands(tmp_path: Path) -> None:
    """Issue 11, item 14: a page and a debug file refuse a link as a journal does; they took its place before."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    link = tmp_path / "page.html"
    link.symlink_to(victim)
    with pytest.raises(OSError, match=r"(?i)symbolic|loop|links"):
        write_private(link, "page")
    assert victim.read_text() == "mine"
    assert link.is_symlink()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["page.html", "victim"], "no leftover"


def test_a_lone_surrogate_does_not_cost_the_page(tmp_path: Path) -> None:
    write_private(tmp_path / "page.html", "page \ud83d")
    assert (tmp_path / "page.html").read_text() == "page ?"


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    """With a reader and without one, who would have been waited for on the event loop by a journal."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match=r"(?i)device|pipe"):
        open_private(tmp_path / "pipe", os.O_CREAT | os.O_TRUNC)
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(OSError, match="pipe"):
        open_private(tmp_path / "pipe", os.O_CREAT | os.O_TRUNC)
    os.close(reader)


def test_a_device_keeps_its_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that runs as root and records to /dev/null took it away from everybody else."""
    changed: list[int] = []
    monkeypatch.setattr(os, "fchmod", lambda descriptor, mode: changed.append(mode))
    os.close(open_private(os.devnull, os.O_CREAT | os.O_TRUNC))
    assert changed == []


WRITERS = [background_file, journal, bundle]


@pytest.mark.parametrize("module", WRITERS, ids=lambda module: module.__name__.rpartition(".")[2])
def test_whoever_writes_for_the_owner_opens_through_the_one_place(module: ModuleType) -> None:
    assert module.open_private is open_private
    assert "os.open(" not in Path(str(module.__file__)).read_text()
