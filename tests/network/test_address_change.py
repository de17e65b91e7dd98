"""A call survives the client's address changing: for real, in two network namespaces."""

import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.network.namespaces import FAR, NEAR, Host, cable, stop
from tests.network.near_end import HUM
from tests.network.words import PATIENCE, Words

pytestmark = [pytest.mark.media, pytest.mark.slow]

NEW = "10.203.7.3"
OUTAGE_SECONDS = 4.0
"""Longer than the watch waits for another address."""
OFFLINE = "error 48001"


def swapped(near: Host) -> None:
    near.loses(NEAR)
    near.has(NEW)


def away(near: Host) -> None:
    near.loses(NEAR)
    time.sleep(OUTAGE_SECONDS)
    near.has(NEW)


def told_of_the_network(journal: Path) -> list[str]:
    *whole, _ = journal.read_text().split("\n")
    facts = [entry.get("fact", {}) for entry in map(json.loads, whole)]
    return [fact["change"] for fact in facts if fact.get("is") == "NetworkChanged"]


def until_told(journal: Path, told: list[str]) -> None:
    """The watch lets the network settle first; a call may be back sooner."""
    deadline = time.monotonic() + PATIENCE
    while told_of_the_network(journal) != told:
        assert time.monotonic() < deadline, f"not {told}, but {told_of_the_network(journal)}"
        time.sleep(0.1)


@pytest.mark.parametrize("keep", ["keep", "replace"])
@pytest.mark.parametrize(
    ("change", "told"),
    [(swapped, ["path_changed"]), (away, ["offline", "online"])],
    ids=["swapped", "away"],
)
def test_a_call_survives_the_change_of_the_clients_address(
    keep: str, change: Callable[[Host], None], told: list[str], tmp_path: Path
) -> None:
    """SIG-272, SIG-273, MEDIA-230, CALL-530: another address at once, or only after some seconds without any."""
    journal = tmp_path / "journal.jsonl"
    with cable() as (near, far), contextlib.ExitStack() as programs:
        gateway = far.run("tests.network.far_end", FAR)
        programs.callback(stop, gateway)
        server = Words(gateway)
        client = near.run("tests.network.near_end", server.until("url"), keep, str(journal))
        programs.callback(stop, client)
        words = Words(client)
        call = words.until("call")
        assert float(words.until("hearing")) == pytest.approx(HUM, abs=5)
        before = len(words.heard)
        change(near)
        assert float(words.until("hearing")) == pytest.approx(HUM, abs=5)
        until_told(journal, told)
        assert client.stdin is not None
        client.stdin.close()
        words.until("NORMAL_CLEARING")
        assert client.wait(PATIENCE) == 0
        after = [said.split()[0] for said in words.heard[before:] if not said.startswith("error")]
        assert after == ["recovering", "active", "hearing", "hangup", "destroy", "NORMAL_CLEARING"], "one way back"
        assert words.heard.count(OFFLINE) == told.count("offline")
        assert told_of_the_network(journal) == told, "and nothing else"
        assert gateway.stdin is not None
        gateway.stdin.close()
        assert server.until("calls") == call, "it is still the only call that there has been"
