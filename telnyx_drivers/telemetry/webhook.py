"""Alarms by HTTP: signed, and tried again."""

import hmac
import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import anyio

from telnyx_core._wire.redaction import redact_url
from telnyx_drivers import _logs as logs
from telnyx_drivers._worker_threads import in_thread

if TYPE_CHECKING:
    from telnyx_drivers._reach.http_post import Poster
    from telnyx_drivers.telemetry.alarms import Alarm

HEADER: Final = "Telnyx-Rtc-Signature"
TOLERANCE: Final = 300.0
"""Seconds that a signature may be old, or ahead."""
_ATTEMPT: Final = 10.0
"""Seconds for one attempt."""
_PAUSES: Final = (1.0, 2.0, 4.0, 8.0)
"""Seconds between the attempts."""
_MOST: Final = 100
"""Alarms under way at once; of more, the newest are logged and dropped: that there is trouble is known."""

_log = logs.of_module("telnyx_drivers.telemetry")


class Webhook:
    """Posts alarms as JSON to a URL: ``Alarms(client, Webhook(url, secret=secret))``. Needs the ``http`` extra.

    Each has the header ``Telnyx-Rtc-Signature: t=TIME,v1=HEX``: HMAC-SHA256, keyed with the secret, of the time in
    seconds of the epoch, a full stop, and the body; `verify` checks it. What is not answered with 2xx is sent five
    times in all, within about a minute, or when the server's ``Retry-After`` asks for it, and then logged.
    """

    def __init__(
        self,
        url: str,
        *,
        secret: str,
        poster: "Callable[[], Poster] | None" = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Raises ``ValueError`` for a URL that is not http or https, and for an empty secret."""
        if not url.startswith(("https://", "http://")):
            raise ValueError(f"a webhook is at an http or https URL, not at {redact_url(url)!r}")
        if not secret:
            raise ValueError("a webhook needs a secret: without one its receiver believes anybody")
        self._url = url
        self._secret = secret
        self._make = poster or _poster
        self._poster: Poster | None = None
        self._making = anyio.Lock()
        self._wall = wall
        self._under_way = 0

    def __repr__(self) -> str:
        return f"<Webhook {redact_url(self._url)}>"

    async def __call__(self, alarm: "Alarm") -> bool:
        """Post it; returns whether it has been received."""
        if self._under_way >= _MOST:
            _log.error("an alarm is not sent, for %d are under way: %s %s", _MOST, alarm.name, alarm.message)
            return False
        self._under_way += 1
        try:
            return await self._send(alarm)
        finally:
            self._under_way -= 1

    async def aclose(self) -> None:
        """Close its connections. Idempotent."""
        poster, self._poster = self._poster, None
        if poster is not None:
            await poster.aclose()

    async def _send(self, alarm: "Alarm") -> bool:
        body = json.dumps(alarm.to_mapping()).encode()
        why = ""
        for pause in (*_PAUSES, None):
            again = pause
            try:
                with anyio.fail_after(_ATTEMPT):
                    async with self._making:
                        if self._poster is None:
                            self._poster = await in_thread(self._make)
                    stamp = str(int(self._wall()))
                    headers = {
                        "content-type": "application/json",
                        HEADER: f"t={stamp},v1={_signature(self._secret, stamp, body)}",
                    }
                    answer = await self._poster.post(self._url, headers, body)
                if 200 <= answer.status < 300:
                    return True
                why = f"HTTP {answer.status}"
                if pause is not None and answer.retry_after is not None:
                    again = min(answer.retry_after, 60.0)
            except TimeoutError:
                why = f"no answer within {_ATTEMPT:g} s"
            except OSError as error:
                why = str(error)
            if again is not None:
                await anyio.sleep(again)
        _log.error("an alarm could not be sent to %s (%s): %s", redact_url(self._url), why, alarm.name)
        return False


def _poster() -> "Poster":
    from telnyx_drivers._reach.http_post import HttpPoster

    return HttpPoster(None)


def verify(secret: str, header: str, body: bytes, *, now: float, tolerance: float = TOLERANCE) -> bool:
    """Whether the header ``Telnyx-Rtc-Signature`` is that of this body, and not older than ``tolerance`` seconds."""
    parts = {name: value for name, _, value in (part.partition("=") for part in header.split(","))}
    stamp = parts.get("t", "")
    if not (stamp.isascii() and stamp.isdigit()) or abs(now - int(stamp)) > tolerance:
        return False
    return hmac.compare_digest(parts.get("v1", "").encode(), _signature(secret, stamp, body).encode())


def _signature(secret: str, stamp: str, body: bytes) -> str:
    return hmac.new(secret.encode(), f"{stamp}.".encode() + body, "sha256").hexdigest()
