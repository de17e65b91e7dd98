"""The reference pages say what the code says: options, defaults, codes, and the tests they point to."""

import ast
import importlib.util
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telnyx_core import events
from telnyx_core._options.parsing import seed_name
from telnyx_core.events import EVENT_NAMES, Event
from telnyx_core.options import CallOptions, ClientOptions, MediaPermissionsRecovery

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/options.md").read_text(encoding="utf-8")
CLIENT_PART, CALL_PART = PAGE.split("\n## Calls\n")
OPTION = re.compile(
    r"^### (?P<keyword>[\w.]+)(?: of a call)?\n\n`(?P<type>[^`]+)`, default (?P<default>.+?)\."
    r"(?: In the documents `(?P<name>[\w.]+)`\.)? Example: `(?P<example>.+)`\n\n\S",
    re.MULTILINE,
)

HELD_BY = {
    (part, keyword): test
    for part, keyword, test in map(
        str.split, (ROOT / "tests/core/options.txt").read_text(encoding="utf-8").splitlines()
    )
}
"""The test that holds the effect of each option: of a client, and of a call."""


def rows(part: str) -> dict[str, tuple[str, str]]:
    """Keyword to documented name and default, as the page has them."""
    found = OPTION.finditer(part)
    return {option["keyword"]: (option["name"] or option["keyword"], option["default"]) for option in found}


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


@pytest.mark.parametrize("part", [CLIENT_PART, CALL_PART], ids=["client", "call"])
def test_the_examples_of_options_can_be_used(part: str) -> None:
    """Each is an argument of the client, or of `new_call`."""
    environ = {"TELNYX_LOGIN_TOKEN": "token", "TELNYX_PASSWORD": "secret"}
    beside: dict[str, dict[str, object]] = {
        "login": {"password": "secret"},
        "password": {"login": "alice"},
        "rtc_ip": {"rtc_port": 443},
        "rtc_port": {"rtc_ip": "192.0.2.7"},
        "receive_only_audio": {"audio": False},
    }
    for option in OPTION.finditer(part):
        given = eval(f"dict({option['example']})", {"os": SimpleNamespace(environ=environ)})
        given |= beside.get(option["keyword"], {})
        if part == CALL_PART:
            assert CallOptions(**given) != CallOptions()
        else:
            login = {} if given.keys() & {"login_token", "login", "anonymous_login"} else {"login_token": "token"}
            assert ClientOptions(**given, **login)


def test_every_option_is_held_by_a_test() -> None:
    options = {("client", name) for name in rows(CLIENT_PART)} | {("call", name) for name in rows(CALL_PART)}
    assert HELD_BY.keys() == options


@pytest.mark.parametrize("reference", sorted(set(HELD_BY.values())))
def test_the_tests_that_hold_options_exist(reference: str) -> None:
    path, name = reference.split("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert name in functions


def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / f"docs/_tools/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["errors", "events"])
def test_the_written_page_is_current(name: str) -> None:
    """Run the tool in docs/_tools after a change of what it reads."""
    module = tool(name)
    assert module.PAGE.read_text(encoding="utf-8") == module.page()


JSON_MEMBERS = {
    "params": st.just({}),
    "frame": st.just({}),
    "details": st.just({}),
    "timeline": st.none(),
}


@pytest.mark.parametrize("kind", EVENT_NAMES, ids=lambda kind: kind.__name__)
@given(data=st.data())
@settings(max_examples=10)
def test_the_example_of_an_event_runs(kind: type[Event], data: st.DataObject) -> None:
    handlers: dict[object, Callable[[Event], None]] = {}
    client = SimpleNamespace(on=lambda name: lambda handler: handlers.setdefault(name, handler))
    page = (ROOT / "docs/reference/events.md").read_text(encoding="utf-8")
    example = re.search(rf"^## {kind.__name__}$.*?^```python\n(.*?)^```$", page, re.M | re.S)
    assert example is not None
    exec(example[1], {"client": client, "events": events})
    given_names = {member.name for member in attrs.fields(kind)} & JSON_MEMBERS.keys()
    handlers[kind](data.draw(st.builds(kind, **{name: JSON_MEMBERS[name] for name in given_names})))
