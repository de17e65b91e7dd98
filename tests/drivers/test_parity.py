"""The three clients are one: what docs/reference/loops.md promises, name by name."""

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import telnyx_drivers.asyncio
import telnyx_drivers.sync
import telnyx_drivers.trio
from telnyx_core.options import ClientOptions
from telnyx_drivers._client import Client
from telnyx_drivers.asyncio import CallHandle

PAGE = (Path(__file__).parents[2] / "docs/reference/loops.md").read_text(encoding="utf-8")
ROWS = [row.strip("|").split(" | ") for row in PAGE.splitlines() if re.match(r"\| (?!feature|-)\S", row)]
FEATURES = [row for row in ROWS if any("client." in cell or "call." in cell for cell in row)]
INTERNAL = PAGE.split("which are for each other")[1].split("##")[0]


def named(text: str, owner: str) -> set[str]:
    return set(re.findall(rf"`{owner}\.(\w+)`", text))


def public(owner: object) -> set[str]:
    """Of a class, or of an instance with its attributes."""
    return {name for name in dir(owner) if not name.startswith("_")}


def signatures(owner: type[Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in public(owner) | {"__init__"}:
        member = inspect.getattr_static(owner, name)
        found[name] = "property" if isinstance(member, property) else str(inspect.signature(getattr(owner, name)))
    return found


def test_the_two_asynchronous_clients_have_the_same_surface() -> None:
    one, other = telnyx_drivers.asyncio, telnyx_drivers.trio
    assert signatures(one.TelnyxRTC) == signatures(other.TelnyxRTC) == signatures(Client)
    assert one.TelnyxRTC.__doc__ == other.TelnyxRTC.__doc__
    assert one.CallHandle is other.CallHandle
    assert one.__all__ == other.__all__
    for name in one.__all__:
        if name != "TelnyxRTC":
            assert getattr(one, name) is getattr(other, name)


@pytest.mark.parametrize(
    ("owner", "thing"),
    [
        ("client", telnyx_drivers.asyncio.TelnyxRTC(login_token="t")),
        ("call", CallHandle(None, None)),  # type: ignore[arg-type]
    ],
)
def test_the_page_names_every_public_name(owner: str, thing: object) -> None:
    told = {name for row in FEATURES for name in named(row[1], owner)}
    assert told | named(INTERNAL, owner) == public(thing)
    assert not told & named(INTERNAL, owner)
    assert all(row[2] == "same" for row in FEATURES)


@pytest.mark.parametrize(
    ("owner", "thing"),
    [
        ("client", telnyx_drivers.sync.TelnyxRTC(login_token="t")),
        ("call", telnyx_drivers.sync.Call(None, None)),  # type: ignore[arg-type]
    ],
)
def test_the_synchronous_client_has_what_its_column_says(owner: str, thing: object) -> None:
    assert {name for row in FEATURES for name in named(row[3], owner)} == public(thing)


EXTRA = {"timeout": "seconds to wait for the next one, instead of cancelling from outside"}
"""What the synchronous client takes in addition."""


@pytest.mark.parametrize(
    ("sync", "original"),
    [(telnyx_drivers.sync.TelnyxRTC, telnyx_drivers.asyncio.TelnyxRTC), (telnyx_drivers.sync.Call, CallHandle)],
)
def test_what_both_have_takes_the_same_arguments(sync: type[Any], original: type[Any]) -> None:
    compared = 0
    for name in (public(sync) & public(original)) | ({"__init__"} if original is not CallHandle else set()):
        member = inspect.getattr_static(original, name)
        if isinstance(member, property):
            assert isinstance(inspect.getattr_static(sync, name), property), name
            continue
        theirs = inspect.signature(getattr(original, name)).parameters
        ours = {
            key: parameter
            for key, parameter in inspect.signature(getattr(sync, name)).parameters.items()
            if key in theirs or key not in EXTRA
        }
        if name == "serve":  # its handler takes the client's own kind of call
            ours["handler"] = ours["handler"].replace(annotation=theirs["handler"].annotation)
        assert ours == dict(theirs), name
        compared += 1
    assert compared > 12


def test_every_option_is_an_option_of_all_three() -> None:
    for kind in (telnyx_drivers.asyncio.TelnyxRTC, telnyx_drivers.trio.TelnyxRTC, telnyx_drivers.sync.TelnyxRTC):
        client = kind(ClientOptions(login_token="t", trickle_ice=True))
        assert client.options == kind(login_token="t", trickle_ice=True).options
        assert client.options == kind.from_mapping({"login_token": "t", "trickleIce": True}).options


JS_NAMES = re.findall(
    r"\| `(client|call)\.(\w+)` \| `\1\.(\w+)` \|",
    (Path(__file__).parents[2] / "docs/reference/js-names.md").read_text(encoding="utf-8"),
)
CLIENTS: dict[str, list[type[Any]]] = {
    "client": [telnyx_drivers.asyncio.TelnyxRTC, telnyx_drivers.trio.TelnyxRTC, telnyx_drivers.sync.TelnyxRTC],
    "call": [CallHandle, telnyx_drivers.sync.Call],
}


@pytest.mark.parametrize(("owner", "name", "same"), JS_NAMES)
def test_a_name_of_the_js_sdk_is_the_method_itself(owner: str, name: str, same: str) -> None:
    for each in CLIENTS[owner]:
        assert getattr(each, name) is getattr(each, same)


@pytest.mark.parametrize("owner", CLIENTS)
def test_the_page_has_every_name_that_is_spelt_otherwise(owner: str) -> None:
    told = {name for of, name, _ in JS_NAMES if of == owner}
    for each in CLIENTS[owner]:
        assert {name for name in public(each) if name != name.lower()} <= told
