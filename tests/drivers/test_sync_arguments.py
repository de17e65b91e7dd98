"""No junk given to any public method of the client for code without ``async`` costs a call (issue: arguments).

What is called is derived from the module: a method or a class that is added to it is called here as well.
"""

import inspect
import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from telnyx_core.states import CallState, SessionState
from telnyx_drivers import _blocking, _sync
from telnyx_drivers.gateway import Gateway
from telnyx_drivers.sync import Call, CallNotification, LiveCall, TelnyxRTC
from tests.drivers.fakes import SilentEngine
from tests.drivers.servers import Servers
from tests.drivers.test_arguments import FRAME, REFUSALS, given_to

pytestmark = [pytest.mark.net]

# What ends the session where it is right, or goes to another server, on which this gateway keeps no call.
_ENDS_THE_SESSION = frozenset({"connect", "disconnect", "leave", "serve", "from_mapping", "switch_region"}) | {
    "switchRegion"
}
_ENDS_THE_CALL = frozenset({"hangup"})
TRIES = 6
PATIENCE = 0.25
"""Seconds for what junk made wait, such as an event that never comes; it is left behind, and ends with the client."""


def classes() -> dict[str, type[Any]]:
    """The public classes of the modules; of a notification, the call in it has the commands."""
    return {
        name: member
        for module in (_sync, _blocking)
        for name, member in vars(module).items()
        if inspect.isclass(member) and member.__module__ == module.__name__ and not name.startswith("_")
        and member is not _blocking.Relayed
    }  # fmt: skip


def public_methods(owner: type[Any]) -> dict[str, Callable[..., Any]]:
    """Each once, however many names it has."""
    found: dict[int, tuple[str, Callable[..., Any]]] = {}
    for name in sorted(dir(owner)):
        member = getattr(owner, name)
        if not name.startswith("_") and callable(member) and not name[0].isupper():
            found.setdefault(id(member), (name, member))
    names = dict(found.values())
    return {name: method for name, method in names.items() if name not in _ENDS_THE_SESSION}


class Line:
    """A client with a live call, and an object of every class that hands out commands."""

    def __init__(self, client: TelnyxRTC) -> None:
        self.client = client
        self.dial()

    def dial(self) -> None:
        notifications = self.client.events(timeout=10)
        self.call = self.client.new_call("echo")
        self.call.wait_for_state("active", timeout=10)
        told = next(each for each in notifications if isinstance(each, CallNotification))
        self.owners: dict[str, Any] = {
            "TelnyxRTC": self.client, "Call": self.call, "LiveCall": told.call, "CallNotification": told,
            "Playback": self.call.play([FRAME]), "Recording": self.call.record("a.wav"),
            "Capture": self.call.capture("a.pcap"),
        }  # fmt: skip

    def attempt(
        self, method: Callable[..., Any], positional: list[Any], keywords: dict[str, Any]
    ) -> BaseException | None:
        """What the method raised, in a thread that is left behind where junk made it wait."""
        raised: list[BaseException] = []

        def run() -> None:
            try:
                result = method(*positional, **keywords)
                if isinstance(result, Iterator):
                    next(result, None)
            except BaseException as error:  # noqa: BLE001  # judged by the test
                raised.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(PATIENCE)
        return raised[0] if raised else None


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    servers = Servers()
    yield servers
    servers.close()


def test_every_class_with_methods_is_called() -> None:
    """Of all the classes that the module has, those without public methods are no owners."""
    owners = {name for name, owner in classes().items() if public_methods(owner)}
    assert owners == {"TelnyxRTC", "Call", "LiveCall", "Playback", "Recording", "Capture"}
    assert sum(len(public_methods(owner)) for owner in (TelnyxRTC, Call, LiveCall)) > 50


@pytest.mark.parametrize("seed", range(2))
def test_no_junk_given_to_any_public_method_costs_the_call(
    servers: Servers, seed: int, tmp_path: Any, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = random.Random(seed)
    gateway: Gateway = servers.enter(Gateway(users={"alice": "secret"}, engine=SilentEngine))
    with TelnyxRTC(
        login="alice", password="secret", env=gateway.url, ice_servers=[], enable_call_reports=False,
        engine=lambda setup: SilentEngine(setup.report),
    ) as client:  # fmt: skip
        line = Line(client)
        kept = client.new_call("echo")
        kept.wait_for_state("active", timeout=10)
        for owner, kind in classes().items():
            for name in public_methods(kind):
                for _ in range(TRIES):
                    bound = getattr(line.owners[owner], name)
                    positional, keywords = given_to(bound, rng)
                    raised = line.attempt(bound, positional, keywords)
                    said = f"{owner}.{name}({positional}, {keywords}) raised {raised!r}"
                    assert raised is None or isinstance(raised, REFUSALS), said
                    assert client.state is SessionState.READY, said
                    assert kept.live, said
                    if name in _ENDS_THE_CALL and raised is None:
                        line.dial()
                    assert line.call.live, said
        # Whatever was accepted by chance, such as a handler, is not in the way of what follows.
        other = client.new_call("echo", on_notification=lambda event: None)
        assert other.wait_for_state("active", timeout=10) is CallState.ACTIVE
        assert kept.hold() in (True, False)
        assert client.is_registered()
    servers.stop()
