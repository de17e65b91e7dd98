"""Programs of this repository, run as a user runs them: in a process and an environment of their own."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from attrs import frozen

ROOT = Path(__file__).parent.parent
LIMIT = 40.0
"""Seconds after which a program is given up; none of them comes near."""


@frozen
class Ended:
    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The last line of standard output, which ``--json`` promises to be one JSON document."""
        return json.loads(self.out.splitlines()[-1])


@asynccontextmanager
async def running(
    *arguments: str, user: str, password: str, url: str, cwd: Path | None = None, **variables: str
) -> AsyncGenerator[asyncio.subprocess.Process, None]:
    """A Python program as ``user`` of the gateway at ``url``; killed on the way out if it still runs.

    ``variables`` are further ones of its environment.
    """
    environment = {
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "TELNYX_RTC_URL": url,
        "TELNYX_SIP_USERNAME": user,
        "TELNYX_SIP_PASSWORD": password,
        **variables,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *arguments),
        env=environment,
        cwd=cwd,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def end_of(process: asyncio.subprocess.Process) -> Ended:
    """Wait for its end. Raises ``TimeoutError`` after `LIMIT`."""
    async with asyncio.timeout(LIMIT):
        out, err = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())
