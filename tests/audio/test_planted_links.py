"""``record`` and ``capture`` write where they were told to, and not where somebody has laid a link to."""

from pathlib import Path

import pytest

from telnyx_drivers.debug_file import write_private
from telnyx_drivers.media.audio import background_file


def test_a_planted_link_is_refused(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    link = tmp_path / "call.wav"
    link.symlink_to(victim)
    with pytest.raises(OSError, match=r"(?i)symbolic|loop|links"):
        background_file.create_private(link)
    assert victim.read_text() == "mine"


def test_a_page_takes_the_links_place(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    link = tmp_path / "page.html"
    link.symlink_to(victim)
    write_private(link, "page \ud83d")
    assert victim.read_text() == "mine"
    assert link.read_text() == "page ?"
