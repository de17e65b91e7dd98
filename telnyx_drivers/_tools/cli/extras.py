"""What an option needs and is not installed, told before anything is tried."""

import asyncio
from importlib.util import find_spec
from typing import Final

from telnyx_drivers._exceptions import MediaUnavailable
from telnyx_drivers._tools.cli.exits import UsageError

MEDIA: Final = ("ifaddr", "OpenSSL", "pylibsrtp", "av", "numpy")
"""Modules that calls need; they come with the ``media`` extra."""


def need_media() -> None:
    """Raises `ModuleNotFoundError` as the engine itself would, but before anybody has logged in."""
    for name in MEDIA:
        if find_spec(name) is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


async def need_devices(mic: str | None, speaker: str | None) -> None:
    """Raises `UsageError` where a device is wanted and no device can be listed."""
    option, device = ("--mic", mic) if mic is not None else ("--speaker", speaker)
    if device is None:
        return
    from telnyx_drivers._audio import devices

    try:
        await asyncio.to_thread(devices.get_audio_in_devices)
    except MediaUnavailable as error:
        raise UsageError(f"{option} {device}: {error}.") from error
