"""Options that every command with an account shares, and logging in with them."""

import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from telnyx_core._wire.json_types import JsonObject
from telnyx_core.events import ErrorRaised
from telnyx_core.options import AnonymousLogin
from telnyx_drivers._services.store import FileStore
from telnyx_drivers._tools.cli.arguments import check_writable
from telnyx_drivers._tools.cli.credentials import Credentials
from telnyx_drivers._tools.cli.output import Output
from telnyx_drivers._tools.cli.timeline import milliseconds
from telnyx_drivers.asyncio import TelnyxRTC

if TYPE_CHECKING:
    from telnyx_drivers.telemetry import Meter

CONNECT_TIMEOUT: Final = 20.0
"""Seconds: several attempts, and not longer than a person waits without a word."""

PANEL: Final = "Account"

JsonFlag: TypeAlias = Annotated[
    bool,
    typer.Option("--json", help="One JSON object as the last line of standard output; the rest to standard error."),
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


@asynccontextmanager
async def logged_in(
    credentials: Credentials,
    url: str | None,
    output: Output,
    document: JsonObject,
    *,
    journal: Path | None = None,
    store: Path | None = None,
    anonymous: AnonymousLogin | None = None,
    meters: "tuple[Meter, ...]" = (),
) -> AsyncGenerator[TelnyxRTC, None]:
    """A registered client for the length of the block; ``registered_ms`` in the document is how long that took."""
    client = TelnyxRTC(
        login_token=credentials.login_token,
        login=credentials.login,
        password=credentials.password,
        anonymous_login=anonymous,
        env=url,
        connect_timeout=CONNECT_TIMEOUT,
        journal=None if journal is None else check_writable(journal, "--journal"),
        store=None if store is None else FileStore(check_writable(store, "--store")),
    )

    def tell(event: ErrorRaised) -> None:
        # A fatal one ends the command, which then says so; the others, such as a lost connection, have no other sign.
        if not event.fatal:
            output.warn(f"{event.code} {event.name}: {event.error.original or event.message}")

    client.on(ErrorRaised, tell)
    if meters:
        from telnyx_drivers.telemetry import observe

        observe(client, *meters)
    async with AsyncExitStack() as stack:
        started = time.monotonic()
        with output.working("Logging in"):
            await stack.enter_async_context(client)
        seconds = time.monotonic() - started
        document["registered_ms"] = milliseconds(seconds)
        output.done(f"Registered [dim]after {1000 * seconds:.0f} ms[/]")
        yield client
