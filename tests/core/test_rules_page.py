"""The page that says where each rule of the real server is held."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/server-rules.md").read_text(encoding="utf-8")
SPEC = (ROOT / "docs/spec/production-server.md").read_text(encoding="utf-8")
NAMED = re.findall(r"^\| (PS-\d+) .*$", PAGE, re.MULTILINE)
TESTS = [
    (rule, *test)
    for rule in NAMED
    for test in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE.split(f"| {rule} |")[1].splitlines()[0])
]


def test_the_page_has_every_rule() -> None:
    assert sorted(set(re.findall(r'<a id="(PS-\d+)">', SPEC))) == NAMED


@pytest.mark.parametrize(("rule", "path", "name"), TESTS)
def test_each_test_exists_and_quotes_its_rule(rule: str, path: str, name: str) -> None:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    (found,) = [node for node in functions if node.name == name]
    assert rule in (ast.get_docstring(found) or "")
