"""The rules in docs/spec: each has an anchor, and what quotes a rule quotes one that exists."""

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import telnyx_drivers.asyncio
import telnyx_drivers.gateway
import telnyx_drivers.sync
import telnyx_drivers.trio

ROOT = Path(__file__).parents[1]
CORE = ROOT / "telnyx_core"
PAGES = sorted((ROOT / "docs" / "spec").glob("*.md"))
ID = re.compile(r"\b(?:AI|CALL|DBG|DIAG|LOG|MEDIA|PS|REC|SIG|SRV|STATS)-\d{3}[a-z]?\b")
PRIVATE = re.compile(r"telnyx_(?:core|drivers)\._[\w.]+")
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


def public_modules() -> list[Path]:
    """The public modules of the core, its rooms, the doors, and the modules that hold what the doors give."""
    core = [path for path in CORE.glob("*.py") if path.stem == "__init__" or path.stem[0] != "_"]
    rooms = [path for room in ("gateway", "journal", "stats", "testing") for path in (CORE / room).rglob("*.py")]
    given = {
        sys.modules[kind.__module__]
        for door in (telnyx_drivers.asyncio, telnyx_drivers.trio, telnyx_drivers.sync, telnyx_drivers.gateway)
        for name in door.__all__
        for kind in getattr(getattr(door, name), "__mro__", (getattr(door, name),))
        if getattr(kind, "__module__", "").startswith("telnyx_")
    }
    return [*core, *rooms, *(Path(str(module.__file__)) for module in given)]


def docstrings(node: ast.AST, *, public: bool = True) -> Iterator[str]:
    """Of a module: its own, and those of public classes, functions and attributes."""
    body: list[ast.stmt] = getattr(node, "body", [])
    for before, each in zip([None, *body], body, strict=False):
        match each:
            case ast.Expr(value=ast.Constant(value=str(text))) if public:
                match before:
                    case None:
                        yield text
                    case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                        if not name.startswith("_"):
                            yield text
                    case _:
                        pass
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield from docstrings(each, public=public and (not name.startswith("_") or name.startswith("__")))
            case _:
                pass


def in_public_docstrings(pattern: re.Pattern[str]) -> set[str]:
    modules = public_modules()
    assert len(modules) > 50
    return {
        f"{path.relative_to(ROOT)}: {found}"
        for path in modules
        for text in docstrings(ast.parse(path.read_text(encoding="utf-8")))
        for found in pattern.findall(text)
    }


def test_no_public_docstring_holds_an_id() -> None:
    """Whoever reads them has no use for it: the spec is for those who build this."""
    assert in_public_docstrings(ID) == set()


def test_no_public_docstring_sends_a_reader_to_a_private_module() -> None:
    assert in_public_docstrings(PRIVATE) == set()


def test_an_id_in_a_docstring_is_seen() -> None:
    tree = ast.parse(
        'class Shown:\n    """See SIG-001."""\n    x = 1\n    """SIG-002"""\n    _y = 2\n    """SIG-003"""\n'
    )
    assert [ID.findall(text) for text in docstrings(tree)] == [["SIG-001"], ["SIG-002"]]
