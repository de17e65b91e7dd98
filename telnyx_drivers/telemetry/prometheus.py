"""Metrics for Prometheus to scrape, by its official client library."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias, assert_never

from telnyx_drivers.telemetry.instruments import INSTRUMENTS, Instrument

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

    Metric: TypeAlias = Counter | Gauge | Histogram


class PrometheusMeter:
    """A `Meter` with its figures in ``registry``: one of its own, or the application's. Needs the extra ``prometheus``.

    Make one for a process, and let any number of clients share it.
    """

    def __init__(self, registry: "CollectorRegistry | None" = None) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self.registry = CollectorRegistry() if registry is None else registry
        """What is scraped."""
        self._metrics: dict[str, Metric] = {}
        for each in INSTRUMENTS:
            name, labels = each.prometheus_name, [label(one) for one in each.attributes]
            match each.kind:
                case "counter":
                    metric: Metric = Counter(name, each.description, labels, registry=self.registry)
                case "updown":
                    metric = Gauge(name, each.description, labels, registry=self.registry)
                case "histogram":
                    buckets = each.buckets
                    metric = Histogram(name, each.description, labels, buckets=buckets, registry=self.registry)
                case _:
                    assert_never(each.kind)
            self._metrics[each.name] = metric

    def measure(self, instrument: Instrument, value: float, attributes: Mapping[str, str]) -> None:
        """As `Meter.measure`."""
        from prometheus_client import Histogram

        metric = self._metrics[instrument.name]
        if attributes:
            metric = metric.labels(**{label(name): text for name, text in attributes.items()})
        if isinstance(metric, Histogram):
            metric.observe(value)
        else:
            metric.inc(value)

    @contextmanager
    def served(self, port: int, host: str = "127.0.0.1") -> Generator[int, None, None]:
        """While this lasts, a thread answers ``http://host:port/metrics``; 0 takes a free port. Gives the port.

        Raises ``OSError`` where it cannot listen there.
        """
        from prometheus_client import start_http_server

        server, thread = start_http_server(port, addr=host, registry=self.registry)
        try:
            yield server.server_port
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def label(attribute: str) -> str:
    """An attribute's name for Prometheus, which knows no dots."""
    return attribute.replace(".", "_")
