"""Signals, and a call whose every job runs at once, so that tests depend on no thread's timing."""

import wave
from pathlib import Path

import numpy as np
from anyio.lowlevel import checkpoint

from telnyx_drivers._audio.frames import Samples
from telnyx_drivers._webrtc.call_audio import CallAudio


def sine(frequency: float, rate: int, seconds: float, level: int = 10_000) -> Samples:
    samples: Samples = np.rint(level * np.sin(2 * np.pi * frequency * np.arange(round(rate * seconds)) / rate)).astype(
        np.int16
    )
    return samples


def voiced(seconds: float) -> Samples:
    """Like a voice: harmonics of a pitch that glides, in syllables. Opus treats pure tones as music."""
    times = np.arange(int(48_000 * seconds)) / 48_000
    phase = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 0.7 * times)) / 48_000
    wave = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 20))
    syllables = 0.6 + 0.4 * np.sin(2 * np.pi * 3 * times)
    return np.rint(6_000 * syllables * wave).astype(np.int16)


def ramp(count: int, start: int = 1) -> Samples:
    """Samples that are all different, so that a test sees which ones came."""
    return np.arange(start, start + count, dtype=np.int16)


def call_audio() -> CallAudio:
    return CallAudio(background=lambda job: job())


async def settle() -> None:
    """Let every task run until it waits; no time passes."""
    for _ in range(10):
        await checkpoint()


def pull(audio: CallAudio, frames: int, rate: int = 8_000) -> Samples:
    return np.concatenate([audio.pull(rate) for _ in range(frames)])


def push(audio: CallAudio, samples: Samples, rate: int) -> None:
    size = rate // 50
    for start in range(0, samples.size, size):
        audio.push(samples[start : start + size], rate)


def write_wav(path: Path, samples: Samples, rate: int, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def read_wav(path: Path) -> tuple[Samples, int]:
    """Shape ``(samples, channels)`` and the rate."""
    with wave.open(str(path), "rb") as file:
        data = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.int16)
        return data.reshape(-1, file.getnchannels()), file.getframerate()
