"""The input of a diagnosis, its progress while it runs, and its result."""

import ssl
from typing import Final, Protocol

from attrs import frozen

from telnyx_core._wire.json_types import JsonObject
from telnyx_core.options import ClientOptions
from telnyx_drivers.diagnose import verdict
from telnyx_drivers.diagnose.findings import IceFindings, NetworkFindings, Probe, milliseconds
from telnyx_drivers.diagnose.probes import Names
from telnyx_drivers.diagnose.verdict import Judgement

DESTINATION: Final = "+1-872-231-5806"
"""The platform's own number for tests (DIAG-001)."""


@frozen(kw_only=True)
class Plan:
    """What to check. ``options`` name the servers and log in; without ``log_in`` only what needs no account is done."""

    options: ClientOptions
    log_in: bool = True
    destination: str = DESTINATION
    caller_number: str = ""
    seconds: float = 6.0
    """Of the conversation."""
    tls: ssl.SSLContext | None = None


class Listener(Protocol):
    """Gets the progress."""

    def begins(self, what: str) -> None:
        """Something that takes its time."""
        ...

    def done(self, text: str, *, ok: bool = True, detail: str = "") -> None:
        """A step, or a part of one, is over."""
        ...


@frozen(kw_only=True)
class Echo:
    """What came back of what was said."""

    delay: float
    """Seconds."""
    correlation: float
    """Up to 1."""

    def document(self) -> JsonObject:
        return {"delayMs": milliseconds(self.delay), "correlation": round(self.correlation, 3)}


@frozen(kw_only=True)
class Report:
    judgement: Judgement
    names: Names | None
    signaling: Probe | None
    registered: float | None
    """Seconds from connecting to being registered."""
    servers: tuple[Probe, ...]
    ice: IceFindings | None
    network: NetworkFindings | None
    echo: Echo | None
    call: str | None
    timings: JsonObject

    def document(self) -> JsonObject:
        """The platform's names, and what is ours: ``signaling``, ``echo``."""
        judgement = self.judgement
        document: JsonObject = {"version": 1, "verdict": judgement.verdict, "timings": self.timings}
        if judgement.reasons:
            document["reasons"] = [note.document() for note in judgement.reasons]
        if judgement.warnings:
            document["warnings"] = [note.document() for note in judgement.warnings]
        document["signaling"] = self._signaling()
        if self.servers:
            document["serverTests"] = [probe.document() for probe in self.servers]
        if self.ice is not None:
            document["ice"] = self.ice.document()
        if self.network is not None:
            document["network"] = {**self.network.document(), "quality": verdict.quality(self.network)}
        if self.echo is not None:
            document["echo"] = self.echo.document()
        if self.call is not None:
            document["callId"] = self.call
        return document

    def _signaling(self) -> JsonObject:
        names, probe = self.names, self.signaling
        return {
            "host": None if names is None else names.host,
            "addresses": [] if names is None else list(names.addresses),
            "dnsMs": None if names is None else milliseconds(names.seconds),
            "webSocketMs": None if probe is None else milliseconds(probe.seconds),
            "registeredMs": milliseconds(self.registered),
        }
