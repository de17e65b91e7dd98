"""The user's own microphone and loudspeaker in a call from the command line: ``--mic`` and ``--speaker``."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from telnyx_drivers._calls import CallHandle
from telnyx_drivers._exceptions import MediaUnavailable
from telnyx_drivers._tools.cli.exits import UsageError
from telnyx_drivers._tools.cli.output import Output, clean
from telnyx_drivers.asyncio import TelnyxRTC

if TYPE_CHECKING:
    from telnyx_drivers._audio.devices import Speaker

SYSTEM: Final = "default"
"""The name of the system's default device on the command line."""
_MIC: Final = "mic"

MicrophoneOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--mic", metavar="DEVICE", help="Speak through this microphone; 'default' is the system's."),
]
LoudspeakerOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--speaker", metavar="DEVICE", help="Listen through this loudspeaker; 'default' is the system's."),
]
Hear: TypeAlias = Callable[[CallHandle], object]


def register_microphone(client: TelnyxRTC, device: str | None) -> str | None:
    """The ``mic_id`` for a call that sends from this device; ``None``: no microphone."""
    if device is None:
        return None
    from telnyx_drivers._audio.devices import microphone

    client.register_source(_MIC, microphone(_named(device)))
    return _MIC


def answer_with_microphone(client: TelnyxRTC, device: str | None) -> None:
    """Let incoming calls send from this device; ``None``: no microphone."""
    if device is not None:
        from telnyx_drivers._audio.devices import microphone

        client.register_source(SYSTEM, microphone(_named(device)))


@asynccontextmanager
async def loudspeaker(device: str | None, output: Output) -> AsyncGenerator[Hear, None]:
    """Within this block a call can be heard through the device; ``None``: none is opened. Raises `UsageError`."""
    if device is None:
        yield lambda call: None
        return
    from telnyx_drivers._audio.devices import open_speaker

    try:
        opened = await open_speaker(_named(device))
    except (LookupError, OSError, MediaUnavailable) as error:
        raise UsageError(f"--speaker {device}: {error}.") from error
    try:
        async with asyncio.TaskGroup() as group:
            yield lambda call: group.create_task(_play(opened, call, output))
    finally:
        opened.close()


async def _play(speaker: "Speaker", call: CallHandle, output: Output) -> None:
    try:
        await speaker.play(call.audio_in(speaker.rate))
    except OSError as error:
        output.warn(f"{clean(str(error))}; the call goes on.")


def _named(device: str) -> str | None:
    return None if device == SYSTEM else device
