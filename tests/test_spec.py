"""The rules in docs/spec: each has an anchor, and what quotes a rule quotes one that exists."""

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs" / "spec").glob("*.md"))
ID = re.compile(r"\b(?:AI|CALL|DBG|DIAG|LOG|MEDIA|PS|REC|SIG|SRV|STATS)-\d{3}[a-z]?\b")
ANCHOR = re.compile(r'<a id="([^"]+)"></a>')
QUOTING = ("telnyx_core", "telnyx_drivers", "tests", "fuzz", "bench", "examples", "docs", "newsfragments")
ENDINGS = (".py", ".md", ".jsonl", ".toml")


def anchors() -> Counter[str]:
    return Counter(each for page in PAGES for each in ANCHOR.findall(page.read_text(encoding="utf-8")))


def quoting_files() -> list[Path]:
    folders = [path for name in QUOTING for path in (ROOT / name).rglob("*")]
    return [path for path in folders if path.suffix in ENDINGS and "node_modules" not in path.parts and path.is_file()]


def test_each_rule_has_one_anchor() -> None:
    found = anchors()
    assert len(found) > 1400
    assert [each for each, times in found.items() if times > 1] == []


@pytest.mark.parametrize("folder", QUOTING)
def test_each_id_that_is_quoted_exists(folder: str) -> None:
    known = anchors()
    unknown = {
        f"{path.relative_to(ROOT)}: {each}"
        for path in quoting_files()
        if path.is_relative_to(ROOT / folder)
        for each in ID.findall(path.read_text(encoding="utf-8"))
        if each not in known
    }
    assert unknown == set()
