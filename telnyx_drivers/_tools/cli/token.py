"""``telnyx-rtc token``: from an account's API key to the login of a client."""

import os
from pathlib import Path
from typing import Annotated

import typer

from telnyx_core._signalling.token import expiry
from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_drivers._private_file import open_private
from telnyx_drivers._services.telnyx_api import API_KEY, BASE_URL, Account
from telnyx_drivers._tools.cli.credentials import TOKEN
from telnyx_drivers._tools.cli.exits import Exit, UsageError
from telnyx_drivers._tools.cli.output import Output, clean
from telnyx_drivers._tools.cli.running import finish

CREDENTIAL = "TELNYX_CREDENTIAL_ID"


def token(
    credential: Annotated[
        str,
        typer.Option("--credential", metavar="ID", envvar=CREDENTIAL, help="The telephony credential to log in as."),
    ] = "",
    create: Annotated[
        str, typer.Option("--create", metavar="CONNECTION_ID", help="Make a new credential of this connection first.")
    ] = "",
    name: Annotated[str, typer.Option("--name", help="How the portal shows the new credential.")] = "telnyx-rtc",
    show: Annotated[bool, typer.Option("--list", help="List the account's credentials, and make no token.")] = False,
    env_file: Annotated[
        Path | None,
        typer.Option("--env-file", metavar="FILE", help="Write the token to this file, for you alone, and print none."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on the last line of stdout.")] = False,
) -> None:
    """Make a login token with the API key in TELNYX_API_KEY: eval "$(telnyx-rtc token --credential ID)"

    The key opens the whole account, so no option takes it. A token is good for 24 hours.
    """
    output = Output(json=json)

    def work(document: JsonObject) -> Exit:
        if not os.environ.get(API_KEY):
            raise UsageError(f"Set {API_KEY}: the portal gives a key under Account, API keys.")
        account = Account(base_url=os.environ.get("TELNYX_BASE_URL") or BASE_URL)
        if show:
            list_credentials(account, output, document)
            return Exit.OK
        if bool(credential) == bool(create):
            raise UsageError(f"Give --credential ID (or {CREDENTIAL}) or --create CONNECTION_ID; --list shows the ids.")
        chosen = credential
        if create:
            made = account.create_credential(create, name)
            chosen = made.id
            output.errors.print(f"Made the credential {clean(made.id)}, SIP user {clean(made.sip_username)}.")
        made_token = account.make_token(chosen)
        document |= {"credential": chosen, "expires_at": expiry(made_token)}
        if env_file is not None:
            write(env_file, chosen, made_token)
            document["env_file"] = str(env_file)
            output.done(f"Wrote {clean(str(env_file))}: telnyx-rtc call DEST --credentials-file {clean(str(env_file))}")
        elif json:
            document["login_token"] = made_token
        else:
            typer.echo(f"export {TOKEN}={made_token}")
        return Exit.OK

    finish(output, work)


def list_credentials(account: Account, output: Output, document: JsonObject) -> None:
    found = account.credentials()
    rows: list[Json] = []
    for each in found:
        rows.append({"id": each.id, "name": each.name, "sip_username": each.sip_username, "expired": each.expired})
        state = " [red]expired[/]" if each.expired else ""
        output.say(f"{clean(each.id)}  {clean(each.name)}  {clean(each.sip_username)}{state}")
    if not found:
        output.say("The account has no telephony credential: telnyx-rtc token --create CONNECTION_ID makes one.")
    document["credentials"] = rows


def write(file: Path, credential: str, made: str) -> None:
    try:
        with os.fdopen(open_private(file, os.O_CREAT | os.O_TRUNC), "w", encoding="utf-8") as stream:
            stream.write(f"# The telephony credential {credential}; good for 24 hours.\n{TOKEN}={made}\n")
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}.") from error
