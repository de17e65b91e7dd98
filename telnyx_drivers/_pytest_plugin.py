"""The pytest plugin ``telnyx-rtc``: fixtures with which a test calls a bot.

pytest loads it in every run of an environment that has this package, so it imports nothing before a fixture is used.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from telnyx_drivers.gateway import GatewayThread
    from telnyx_drivers.sync import TelnyxRTC
    from telnyx_drivers.testing import Artifacts, Caller, VirtualCaller


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("telnyx-rtc").addoption(
        "--telnyx-artifacts",
        metavar="DIR",
        type=Path,
        help="Keep a recording, a journal and a report page of each call here, and name them in the JUnit file.",
    )


@pytest.fixture
def telnyx_passwords() -> dict[str, str]:
    """The gateway's users with their passwords, made up: ``alice``, ``bob``, and ``bot`` for `caller`."""
    from secrets import token_urlsafe

    return {name: token_urlsafe(12) for name in ("alice", "bob", "bot")}


@pytest.fixture
def telnyx_gateway(telnyx_passwords: dict[str, str]) -> "Iterator[GatewayThread]":
    """The embedded gateway, on a thread and a free port of its own: ``telnyx_gateway.url``."""
    from telnyx_core.gateway.options import Quirks
    from telnyx_drivers.gateway import Gateway, GatewayThread

    # Production offers a called client no telephone events; the keys of a scripted caller are to arrive.
    quirks = Quirks(no_telephone_event=False)
    with GatewayThread(lambda: Gateway(users=telnyx_passwords, quirks=quirks)) as gateway:
        yield gateway


@pytest.fixture
def telnyx_login(telnyx_gateway: "GatewayThread", telnyx_passwords: dict[str, str]) -> dict[str, object]:
    """Keywords for a client of ``alice`` at the gateway, on any loop: ``TelnyxRTC(**telnyx_login)``."""
    return {
        "login": "alice",
        "password": telnyx_passwords["alice"],
        "env": telnyx_gateway.url,
        "ice_servers": [],
    }


@pytest.fixture
def telnyx_client(telnyx_login: dict[str, object]) -> "Iterator[TelnyxRTC]":
    """A client without ``async``, logged in at the gateway as ``alice``."""
    from telnyx_drivers.sync import TelnyxRTC

    with TelnyxRTC.from_mapping(telnyx_login) as client:
        yield client


@pytest.fixture
def telnyx_artifacts(request: pytest.FixtureRequest) -> "Iterator[Artifacts]":
    """What is kept of the test's calls, with ``--telnyx-artifacts``; the JUnit file names it."""
    from re import sub

    from telnyx_drivers.testing import Artifacts

    folder = request.config.getoption("--telnyx-artifacts")
    if folder is None:
        yield Artifacts()
        return
    folder.mkdir(parents=True, exist_ok=True)
    artifacts = Artifacts(folder.absolute(), sub(r"[^\w.-]+", "_", request.node.name))
    yield artifacts
    for kind, file in artifacts.finish():
        request.node.user_properties.append((f"telnyx_{kind}", str(file)))
        print(f"[[ATTACHMENT|{file}]]")  # noqa: T201  # as CI servers read it in <system-out>


@pytest.fixture
def caller(
    telnyx_gateway: "GatewayThread", telnyx_passwords: dict[str, str], telnyx_artifacts: "Artifacts"
) -> "Caller":
    """Calls a bot over real sockets and with real audio; see `telnyx_drivers.testing.Caller`."""
    from telnyx_drivers.testing import Caller

    return Caller(telnyx_gateway, telnyx_passwords["bot"], telnyx_artifacts)


@pytest.fixture
def virtual_call(telnyx_artifacts: "Artifacts") -> "VirtualCaller":
    """Calls a bot without a network, on a virtual clock; see `telnyx_drivers.testing.VirtualCaller`."""
    from telnyx_drivers.testing import VirtualCaller

    return VirtualCaller(telnyx_artifacts)
