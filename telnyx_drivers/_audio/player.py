"""The handle of something being played into a call."""

import time
from collections.abc import Callable

from telnyx_drivers._audio.audio_input import AudioInput
from telnyx_drivers._audio.frames import FRAMES_PER_SECOND, Samples
from telnyx_drivers._audio.heard import Departures
from telnyx_drivers._audio.wakeup import CallSoon, Wakeup


class Playback:
    """One item being played, mixed with everything else that the call sends."""

    def __init__(
        self,
        voice: AudioInput,
        call_soon: CallSoon | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        delay: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._voice = voice
        self._departures = Departures(clock, delay)
        self._moved = Wakeup(call_soon)
        self._frames = 0
        self._over = False

    @property
    def position(self) -> float:
        """Seconds played so far, in steps of 20 ms; it stops while the program does not run."""
        return self._frames / FRAMES_PER_SECOND

    @property
    def heard(self) -> float:
        """Seconds of it that the far end has played by now, as far as can be told; see `AudioOut.heard`."""
        return self._departures.played(self.position)

    @property
    def ended(self) -> bool:
        """True once it was played to its end, was stopped, or failed."""
        return self._over

    @property
    def error(self) -> Exception | None:
        """Why it ended early; ``None`` if it did not."""
        return self._voice.error

    def stop(self) -> None:
        """Stop now; at most 40 ms more are sent. Idempotent."""
        self.close()

    async def wait(self) -> None:
        """Wait until it ends or is stopped; raises the error that ended it early. Cancelling the wait stops nothing."""
        await self._moved.wait_until(lambda: self._over)
        if self.error is not None:
            raise self.error

    def read(self, rate: int) -> Samples | None:
        samples = None if self._over else self._voice.read(rate)
        if samples is None:
            self._departures.going = False
        else:
            if not self._departures.going:
                self._departures.begin(self.position)
            self._frames += 1
        if self._voice.ended:
            self.close()
        return samples

    def close(self) -> None:
        if not self._over:
            self._over = True
            self._voice.close()
            self._moved.fire()
