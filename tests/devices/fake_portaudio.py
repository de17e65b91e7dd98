"""A fake of the module `sounddevice`: devices without hardware, whose callbacks run when the test says so."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from attrs import define, field
from numpy.typing import NDArray


class FakePortAudioError(Exception):
    """With the arguments of the real one: text, code, (host API, host's code, host's text)."""


@define(eq=False)
class FakeStream:
    """``tick`` is one block: what a microphone hears, or what a loudspeaker says."""

    backend: "FakePortAudio"
    direction: str
    device: int
    samplerate: int
    channels: int
    blocksize: int
    dtype: str
    callback: Callable[..., None]
    finished_callback: Callable[[], None]
    running: bool = False
    closed: bool = False

    def start(self) -> None:
        self.backend.check("start")
        self.running = True

    def close(self) -> None:
        self.closed = True
        self.stop()

    def stop(self) -> None:
        """Closed by us, or unplugged; no block is under way afterwards, as with the real one."""
        with self.backend.at_work:
            if self.running:
                self.running = False
                self.finished_callback()

    def hear(self, samples: NDArray[np.int16], *, flags: bool = False) -> None:
        assert self.running
        assert samples.size == self.blocksize * self.channels
        memory = bytearray(samples.tobytes())
        self.callback(memory, self.blocksize, None, flags)
        memory[:] = b"\x7f" * len(memory)  # PortAudio uses it again

    def say(self, *, flags: bool = False) -> NDArray[np.int16]:
        assert self.running
        memory = bytearray(2 * self.blocksize * self.channels)
        self.callback(memory, self.blocksize, None, flags)
        return np.frombuffer(bytes(memory), np.int16)


def device(name: str, inputs: int, outputs: int, rate: float = 48_000.0) -> dict[str, Any]:
    return {
        "name": name,
        "hostapi": 0,
        "max_input_channels": inputs,
        "max_output_channels": outputs,
        "default_samplerate": rate,
    }


@define(eq=False)
class FakePortAudio:
    devices: list[dict[str, Any]] = field(factory=lambda: [device("Built-in", 2, 2), device("USB Headset", 1, 1)])
    default: int = 0
    """-1 for none."""
    trouble: dict[str, Exception] = field(factory=dict[str, Exception])
    """By what it strikes: the name of a device, ``start``, or a number of channels such as ``1 channels``."""
    streams: list[FakeStream] = field(factory=list[FakeStream])
    at_work: threading.RLock = field(factory=threading.RLock)
    PortAudioError: type[Exception] = FakePortAudioError

    def check(self, what: str) -> None:
        if what in self.trouble:
            raise self.trouble[what]

    def query_hostapis(self) -> tuple[dict[str, Any], ...]:
        return ({"name": "ALSA"},)

    def query_devices(self, device: int | str | None = None, kind: str | None = None) -> Any:
        if device is None and kind is None:
            return [{**each, "index": index} for index, each in enumerate(self.devices)]
        if isinstance(device, str):
            fits = [i for i, each in enumerate(self.devices) if device.lower() in f"{each['name']}, ALSA".lower()]
            if not fits:
                raise ValueError(f"No {kind} device matching {device!r}")
            device = fits[0]
        index = self.default if device is None else device
        if not 0 <= index < len(self.devices):
            raise FakePortAudioError(f"Error querying device {index}")
        return {**self.devices[index], "index": index}

    def _open(self, direction: str, **settings: Any) -> FakeStream:
        self.check(self.devices[settings["device"]]["name"])
        self.check(f"{settings['channels']} channels")
        self.streams.append(FakeStream(self, direction, **settings))
        return self.streams[-1]

    def RawInputStream(self, **settings: Any) -> FakeStream:
        return self._open("input", **settings)

    def RawOutputStream(self, **settings: Any) -> FakeStream:
        return self._open("output", **settings)

    @contextmanager
    def vibrating(self, frequency: float) -> Iterator[list[NDArray[np.int16]]]:
        """Hardware at work in a thread: every microphone hears a tone; yields what the loudspeakers say."""
        ended, said = threading.Event(), list[NDArray[np.int16]]()

        def vibrate() -> None:
            beat = 0
            while not ended.wait(0.02):
                for stream in self.streams:
                    with self.at_work:
                        if stream.running and stream.direction == "input":
                            times = beat * 0.02 + np.arange(stream.blocksize) / stream.samplerate
                            stream.hear((8000 * np.sin(2 * np.pi * frequency * times)).astype(np.int16))
                        elif stream.running:
                            said.append(stream.say())
                beat += 1

        hardware = threading.Thread(target=vibrate)
        hardware.start()
        try:
            yield said
        finally:
            ended.set()
            hardware.join()
