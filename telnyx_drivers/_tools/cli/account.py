"""Options that every command with an account shares, and logging in with them."""

import asyncio
import contextlib
import importlib
import logging
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer
from attrs import frozen

from telnyx_core._wire.json_types import JsonObject
from telnyx_core.events import ErrorRaised, SocketOpen
from telnyx_core.options import AnonymousLogin, ClientOptions, IceServer
from telnyx_drivers._logs import ROOT
from telnyx_drivers._services.store import FileStore
from telnyx_drivers._tools.cli.arguments import ICE_CREDENTIAL, ICE_USERNAME, check_writable
from telnyx_drivers._tools.cli.credentials import Credentials
from telnyx_drivers._tools.cli.output import Output
from telnyx_drivers._tools.cli.timeline import milliseconds
from telnyx_drivers.asyncio import TelnyxRTC

if TYPE_CHECKING:
    from telnyx_drivers.telemetry import Meter

CONNECT_TIMEOUT: Final = 20.0
"""Seconds: several attempts, and not longer than a person waits without a word."""

PANEL: Final = "Account"
WAY: Final = "Connection"


def _log(level: int) -> int:
    if level:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
        ROOT.addHandler(handler)
        ROOT.setLevel(logging.INFO if level == 1 else logging.DEBUG)
    return level


JsonFlag: TypeAlias = Annotated[
    bool,
    typer.Option("--json", help="One JSON object as the last line of standard output; the rest to standard error."),
]
VerboseFlag: TypeAlias = Annotated[
    int,
    typer.Option(
        "--verbose",
        "-v",
        count=True,
        callback=_log,
        help="Log to standard error; -vv with every message, secrets hidden.",
    ),
]
UrlOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--url", envvar="TELNYX_RTC_URL", help="Another signalling server, ws:// or wss://.", rich_help_panel=PANEL
    ),
]
CredentialsOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--credentials-file",
        help="Lines TELNYX_LOGIN_TOKEN=..., or TELNYX_SIP_USERNAME=... and TELNYX_SIP_PASSWORD=...; "
        "without it the environment is read.",
        rich_help_panel=PANEL,
    ),
]
JournalOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--journal", help="Keep a record of the session here, without its secrets, for 'replay'."),
]
CallerNumberOption: TypeAlias = Annotated[
    str, typer.Option("--from", envvar="TELNYX_CALLER_NUMBER", help="The caller's number.")
]
RegionOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--region",
        envvar="TELNYX_RTC_REGION",
        help="The platform's servers there: us-east, us-central, us-west, ca-central, eu, apac, south-asia.",
        rich_help_panel=WAY,
    ),
]
RelayFlag: TypeAlias = Annotated[
    bool, typer.Option("--relay", help="Let audio go through TURN servers only.", rich_help_panel=WAY)
]
IceServerOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--ice-server",
        metavar="URL",
        help="Use this STUN or TURN server instead of the platform's; may be repeated. "
        f"User and credential: {ICE_USERNAME}, {ICE_CREDENTIAL} in the environment.",
        rich_help_panel=WAY,
    ),
]
TrickleFlag: TypeAlias = Annotated[
    bool,
    typer.Option("--trickle", help="Offer candidates as they are found (trickle ICE).", rich_help_panel=WAY),
]
ConnectTimeoutOption: TypeAlias = Annotated[
    float,
    typer.Option(
        "--connect-timeout", min=0.1, help="Give up when not registered after so many seconds.", rich_help_panel=WAY
    ),
]


@frozen(kw_only=True)
class Way:
    """Which server a command speaks to, and by which way audio goes."""

    url: str | None = None
    region: str | None = None
    relay: bool = False
    ice_servers: tuple[IceServer, ...] | None = None
    trickle: bool = False
    connect_timeout: float = CONNECT_TIMEOUT

    def options(self, credentials: Credentials, anonymous: AnonymousLogin | None = None) -> ClientOptions:
        """Raises `OptionsError`."""
        return ClientOptions(
            login_token=credentials.login_token,
            login=credentials.login,
            password=credentials.password,
            anonymous_login=anonymous,
            env=self.url,
            region=self.region,
            ice_servers=self.ice_servers,
            force_relay_candidate=self.relay,
            trickle_ice=self.trickle,
        )


@asynccontextmanager
async def logged_in(
    credentials: Credentials,
    way: Way,
    output: Output,
    document: JsonObject,
    *,
    journal: Path | None = None,
    store: Path | None = None,
    anonymous: AnonymousLogin | None = None,
    meters: "tuple[Meter, ...]" = (),
) -> AsyncGenerator[TelnyxRTC, None]:
    """A registered client for the length of the block.

    In the document, ``connected_ms`` is how long it took until the socket was open, ``registered_ms`` the rest.
    """
    client = TelnyxRTC(
        way.options(credentials, anonymous),
        connect_timeout=way.connect_timeout,
        journal=None if journal is None else check_writable(journal, "--journal"),
        store=None if store is None else FileStore(check_writable(store, "--store")),
    )

    def tell(event: ErrorRaised) -> None:
        # A fatal one ends the command, which then says so; the others, such as a lost connection, have no other sign.
        if not event.fatal:
            output.warn(f"{event.code} {event.name}: {event.error.original or event.message}")

    opened = 0.0

    def note_open(event: SocketOpen) -> None:
        nonlocal opened
        opened = time.monotonic()

    client.on(ErrorRaised, tell)
    client.on(SocketOpen, note_open)
    if meters:
        from telnyx_drivers.telemetry import observe

        observe(client, *meters)
    # Loaded beside the login, the engine would be measured as a part of it.
    with contextlib.suppress(ImportError), output.working("Loading"):
        await asyncio.to_thread(importlib.import_module, "telnyx_drivers._webrtc.engine")
    async with AsyncExitStack() as stack:
        started = time.monotonic()
        with output.working("Logging in"):
            await stack.enter_async_context(client)
        ready = time.monotonic()
        opened = max(opened, started)
        document["connected_ms"] = milliseconds(opened - started)
        document["registered_ms"] = milliseconds(ready - opened)
        output.done(f"Registered [dim]after {1000 * (ready - started):.0f} ms[/]")
        yield client
