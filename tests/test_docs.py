"""The documentation holds together: its links lead somewhere, its programs are Python, and what they import exists."""

import ast
import importlib
import importlib.util
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [
    *ROOT.glob("*.md"),
    *(page for page in ROOT.glob("docs/**/*.md") if "_build" not in page.parts),
    *ROOT.glob("newsfragments/*.md"),
]
BLOCK = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
REPOSITORY = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Repository"]
IN_REPOSITORY = re.compile(rf"{re.escape(REPOSITORY)}/(blob|tree)/main/")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
ANCHOR = re.compile(r'<a id="([^"]+)"')


def prose(page: Path) -> str:
    return re.sub(r"`[^`\n]*`", "", BLOCK.sub("", page.read_text(encoding="utf-8")))


def anchors(page: Path) -> set[str]:
    """As GitHub and myst make them from headings, and those that a page sets itself."""
    text = page.read_text(encoding="utf-8")
    found = set(ANCHOR.findall(text))
    for heading in re.findall(r"^#+ (.+)$", BLOCK.sub("", text), re.MULTILINE):
        found.add(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-"))
    return found


def links() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for target in LINK.findall(prose(page)):
            yield page, target


def test_every_link_leads_somewhere() -> None:
    dead: list[str] = []
    checked = 0
    for page, target in links():
        if ours := IN_REPOSITORY.match(target):
            page, target = ROOT / "README.md", target.removeprefix(ours[0])
        elif re.match(r"(https?|mailto):", target):
            continue
        checked += 1
        path, _, anchor = target.partition("#")
        folder = ROOT if page.parent.name == "newsfragments" else page.parent  # they go into CHANGELOG.md
        there = (folder / path).resolve() if path else page
        if not there.exists() or (anchor and there.suffix == ".md" and anchor not in anchors(there)):
            dead.append(f"{page.relative_to(ROOT)}: {target}")
    assert dead == []
    assert checked > 100


def test_the_readme_can_be_read_where_the_repository_is_not() -> None:
    """On the package index, where a relative link leads nowhere."""
    targets = LINK.findall(prose(ROOT / "README.md"))
    assert [target for target in targets if not target.startswith("https://")] == []
    assert sum(bool(IN_REPOSITORY.match(target)) for target in targets) > 10


def programs() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in BLOCK.finditer(text):
            if block[2] in ("python", "py"):
                yield f"{page.relative_to(ROOT)}:{text.count(chr(10), 0, block.start()) + 2}", dedent(block[3])


@pytest.mark.parametrize("program", [pytest.param(text, id=where) for where, text in programs()])
def test_every_program_is_python_and_imports_what_exists(program: str) -> None:
    """Parts of programs, too: they may wait outside of a function."""
    for node in ast.walk(ast.parse(program)):
        match node:
            case ast.ImportFrom(module=str(module), names=names) if module.startswith("telnyx_"):
                missing = [each.name for each in names if not exists(module, each.name)]
                assert missing == []
            case ast.Import(names=names):
                for each in names:
                    if each.name.startswith("telnyx_"):
                        importlib.import_module(each.name)
            case _:
                pass


def exists(module: str, name: str) -> bool:
    if module.startswith("telnyx_drivers.adapters."):  # importing one takes its framework
        return re.search(rf"^(class|def|async def) {name}\b", source(module), re.MULTILINE) is not None
    found = importlib.import_module(module)
    return hasattr(found, name) or importlib.util.find_spec(f"{module}.{name}") is not None


def source(module: str) -> str:
    return (ROOT / (module.replace(".", "/") + ".py")).read_text(encoding="utf-8")
