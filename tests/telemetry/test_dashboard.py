"""The dashboard asks for what is measured; a real Prometheus answers each of its queries."""

import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

import pytest
from prometheus_client import generate_latest

from telnyx_drivers._assets import DASHBOARD
from telnyx_drivers.telemetry import INSTRUMENTS, PrometheusMeter, observe
from tests.telemetry.test_observer import one_call
from tests.telemetry.world import run, wall

BOARD = json.loads(DASHBOARD.read_text(encoding="utf-8"))
QUERIES = [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]


def filled() -> PrometheusMeter:
    """A meter that every instrument has measured something with."""
    meter = PrometheusMeter()
    measure(meter, {each.name for each in INSTRUMENTS})
    return meter


NOT_IN_A_CALL = {
    "telnyx_rtc.call.jitter_buffer.delay",
    "telnyx_rtc.errors",
    "telnyx_rtc.warnings",
    "telnyx_rtc.gateway.clients",
    "telnyx_rtc.gateway.logins.refused",
}
"""What a virtual call without trouble does not measure."""


def measure(meter: PrometheusMeter, names: Collection[str]) -> None:
    for each in (instrument for instrument in INSTRUMENTS if instrument.name in names):
        value = each.buckets[2] if each.buckets else 1.0
        meter.measure(each, value, dict.fromkeys(each.attributes, "true"))


def test_it_asks_for_what_there_is() -> None:
    text = generate_latest(filled().registry).decode()
    there = set(re.findall(r"^(telnyx_rtc_\w+)", text, re.MULTILINE))
    asked = {name for query in QUERIES for name in re.findall(r"telnyx_rtc_\w+", query)}
    assert asked - there == set()
    shown = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in asked}
    assert {each.prometheus_name for each in INSTRUMENTS} - shown == set(), "nothing is measured that is not shown"
    for query in QUERIES:
        for names in re.findall(r"by \(([^)]*)\)", query):
            (metric,) = re.findall(r"telnyx_rtc_\w+", query)
            assert re.search(rf"^{metric}{{[^}}]*{names}=", text, re.MULTILINE), query


def test_it_fits_a_screen() -> None:
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in BOARD["panels"]}
    assert len(places) == len(BOARD["panels"])
    assert len({panel["title"] for panel in BOARD["panels"]}) == len(BOARD["panels"])


@contextmanager
def prometheus(folder: Path, scraped: int) -> Iterator[int]:
    """The server of the distribution, which scrapes a port of this machine every second."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s}\n"
        f"scrape_configs: [{{job_name: telnyx, static_configs: [{{targets: ['127.0.0.1:{scraped}']}}]}}]\n",
        encoding="utf-8",
    )
    command = [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield port
    finally:
        process.terminate()
        process.wait(20)


def ask(port: int, query: str) -> list[object]:
    try:
        with urlopen(f"http://127.0.0.1:{port}/api/v1/query?query={quote(query)}", timeout=5) as answer:
            document = json.load(answer)
    except OSError:
        return []
    assert document["status"] == "success"
    found: list[object] = document["data"]["result"]
    return found


@pytest.mark.net
@pytest.mark.slow
@pytest.mark.interop
@pytest.mark.skipif(shutil.which("prometheus") is None, reason="needs the prometheus of the distribution")
def test_a_real_prometheus_answers_every_query(tmp_path: Path) -> None:
    meter = PrometheusMeter()
    with meter.served(0) as scraped, prometheus(tmp_path, scraped) as port:
        left = set(QUERIES)
        until = time.monotonic() + 60
        while left and time.monotonic() < until:
            run(one_call, lambda client: observe(client, meter, wall=wall))  # again and again: rates need growth
            measure(meter, NOT_IN_A_CALL)
            time.sleep(0.5)
            left = {query for query in left if not ask(port, query)}
    assert left == set()
