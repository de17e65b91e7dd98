"""``--metrics PORT``: figures for Prometheus while a command runs."""

from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from telnyx_core._wire.json_types import JsonObject
from telnyx_drivers._tools.cli.exits import UsageError
from telnyx_drivers._tools.cli.output import Output

if TYPE_CHECKING:
    from telnyx_drivers.telemetry import Meter

MetricsOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--metrics",
        min=0,
        max=65_535,
        metavar="PORT",
        help="Answer Prometheus at http://127.0.0.1:PORT/metrics; 0 takes a free port.",
    ),
]


@contextmanager
def measured(port: int | None, output: Output, document: JsonObject) -> Generator["tuple[Meter, ...]", None, None]:
    """The meters that a command is to tell what happens: one, or without a port none. Served while this lasts."""
    if port is None:
        yield ()
        return
    if find_spec("prometheus_client") is None:
        raise UsageError("--metrics needs prometheus-client: pip install 'telnyx-rtc[prometheus]'")
    from telnyx_drivers.telemetry import PrometheusMeter

    meter = PrometheusMeter()
    with meter.served(port) as taken:
        document["metrics"] = f"http://127.0.0.1:{taken}/metrics"
        output.done(f"Metrics at http://127.0.0.1:{taken}/metrics")
        yield (meter,)
