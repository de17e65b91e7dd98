"""The files that are kept of a test's calls: a recording, a journal, and a page that shows both."""

from importlib.util import find_spec
from pathlib import Path


class Artifacts:
    """Where they go: ``test_menu-1.wav``, ``test_menu-1.journal``, ``test_menu-1.html``, and so on."""

    def __init__(self, folder: Path | None = None, label: str = "call") -> None:
        """``None``: nothing is kept."""
        self._folder = folder
        self._label = label
        self._calls: list[tuple[Path, Path]] = []

    def next(self) -> tuple[Path | None, Path | None]:
        """Of the next call: where its recording goes, and the journal of its bot."""
        if self._folder is None:
            return None, None
        stem = f"{self._label}-{len(self._calls) + 1}"
        self._calls.append((self._folder / f"{stem}.wav", self._folder / f"{stem}.journal"))
        return self._calls[-1]

    def finish(self) -> list[tuple[str, Path]]:
        """Make the pages. Returns what there is, also of calls that failed: ``recording``, ``journal``, ``report``."""
        files: list[tuple[str, Path]] = []
        for recording, journal in self._calls:
            files += [(kind, file) for kind, file in (("recording", recording), ("journal", journal)) if file.exists()]
            if journal.exists() and find_spec("jinja2") is not None:
                files.append(("report", _page(journal, recording if recording.exists() else None)))
        return files


def _page(journal: Path, recording: Path | None) -> Path:
    # They need the report extra.
    from telnyx_drivers._tools.report.page import render
    from telnyx_drivers._tools.report.read import read_story
    from telnyx_drivers._tools.report.waveform import outline

    page = journal.with_suffix(".html")
    drawn = None if recording is None else outline(recording)
    page.write_text(render(read_story(journal), outline=drawn, hidden=False), encoding="utf-8")
    return page
