"""The reference pages say what the code says: options, defaults, codes, and the tests they point to."""

import ast
import importlib.util
import re
from pathlib import Path

import attrs
import pytest

from telnyx_core._options.parsing import seed_name
from telnyx_core.options import CallOptions, ClientOptions, MediaPermissionsRecovery

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/options.md").read_text(encoding="utf-8")
CLIENT_PART, CALL_PART = PAGE.split("\n## Calls\n")
ROW = re.compile(r"^\| `([\w.]+)` \| `([\w.]+)` \| (.+?) \| (.+) \| (.+?) \|$", re.MULTILINE)


def rows(part: str) -> dict[str, tuple[str, str]]:
    """Keyword to documented name and default, as the page has them."""
    return {keyword: (name, default) for name, keyword, default, _, _ in ROW.findall(part)}


def code(cls: type[attrs.AttrsInstance], prefix: str = "") -> dict[str, tuple[str, str]]:
    """The same from the class."""
    held: dict[str, tuple[str, str]] = {}
    for attribute in attrs.fields(cls):
        default = attribute.default
        if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
            default = default.factory()
        shown = "none" if default is None else f"`{default!r}`".replace("'", '"')
        documented = f"{seed_name(prefix)}." if prefix else ""
        held[f"{prefix}.{attribute.name}" if prefix else attribute.name] = (
            documented + seed_name(attribute.name),
            shown,
        )
    return held


def test_client_options_of_the_page() -> None:
    expected = code(ClientOptions)
    del expected["media_permissions_recovery"]
    assert rows(CLIENT_PART) == expected | code(MediaPermissionsRecovery, "media_permissions_recovery")


def test_call_options_of_the_page() -> None:
    assert rows(CALL_PART) == code(CallOptions)


def test_names_passed_over_are_those_of_the_page() -> None:
    listed = re.findall(r"`(\w+)`", CALL_PART.split("are accepted and passed over")[1].split("`video`")[0])
    assert listed
    for name in listed:
        assert CallOptions.from_mapping({name: "anything"}) == CallOptions()


def test_every_option_says_what_holds_it() -> None:
    for name, _, _, _, test in ROW.findall(PAGE):
        assert re.fullmatch(r"`tests/[\w/]+\.py::\w+`|waits for (session|audio|ICE|quality) work", test), name


@pytest.mark.parametrize("reference", sorted(set(re.findall(r"`(tests/[\w/]+\.py::\w+)`", PAGE))))
def test_the_tests_named_by_the_page_exist(reference: str) -> None:
    path, name = reference.split("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert name in functions


def test_the_page_of_errors_is_current() -> None:
    """Run docs/_tools/errors.py after a change of the catalogues."""
    spec = importlib.util.spec_from_file_location("errors_page", ROOT / "docs/_tools/errors.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text(encoding="utf-8") == module.page()
