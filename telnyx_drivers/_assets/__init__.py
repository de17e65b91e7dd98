"""Sounds and a dashboard that ship with the package."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

HELLO: Final[Traversable] = files(__name__) / "hello.wav"
"""One spoken sentence, about four seconds: mono, 16 bit, 16 kHz."""

DASHBOARD: Final[Traversable] = files(__name__) / "grafana.json"
"""A Grafana dashboard of what `telnyx_drivers.telemetry` measures, for a Prometheus data source."""


def sound(name: str) -> Traversable:
    """One of the sentences of `telnyx-rtc demo --bot`."""
    return files(__name__) / f"{name}.ogg"
