"""Sounds that answer a call, made by program: the tones of twelve countries, voices, music, a network and its codecs.

Voices are espeak-ng's where it is installed, else harmonics in syllables.
"""

import random
import shutil
import subprocess
import wave
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from io import BytesIO

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from telnyx_drivers._audio.frames import Samples, to_int16
from telnyx_drivers._audio.resampler import Resampler
from telnyx_drivers._audio.rtp.codecs import make_decoder, make_encoder
from telnyx_drivers._audio.rtp.packet import parse
from telnyx_drivers._audio.rtp.receiver import RtpReceiver
from telnyx_drivers._audio.rtp.sender import RtpSender

RATE = 8_000
Wave = NDArray[np.float64]

RINGBACK = {
    "us": ((440, 480), (2, 4)),
    "uk": ((400, 450), (0.4, 0.2, 0.4, 2)),
    "de": ((425,), (1, 4)),
    "fr": ((440,), (1.5, 3.5)),
    "es": ((425,), (1.5, 3)),
    "it": ((425,), (1, 4)),
    "au": ((400, 425), (0.4, 0.2, 0.4, 2)),
    "jp": ((400,), (1, 2)),
    "br": ((425,), (1, 4)),
    "mx": ((425,), (1, 4)),
    "ru": ((425,), (0.8, 3.2)),
    "se": ((425,), (1, 5)),
}
BUSY = {
    "us": ((480, 620), (0.5, 0.5)),
    "uk": ((400,), (0.375, 0.375)),
    "de": ((425,), (0.48, 0.48)),
    "fr": ((440,), (0.5, 0.5)),
    "es": ((425,), (0.2, 0.2)),
    "it": ((425,), (0.5, 0.5)),
    "au": ((425,), (0.375, 0.375)),
    "jp": ((400,), (0.5, 0.5)),
    "br": ((425,), (0.25, 0.25)),
    "mx": ((425,), (0.25, 0.25)),
    "ru": ((425,), (0.4, 0.4)),
    "in": ((400,), (0.75, 0.75)),
}
SHORT = {
    "en-us": ("Hello?", "Hi, this is Anna.", "Yes?", "Good morning."),
    "en-gb": ("Hello, Peter speaking.", "Hello?"),
    "de": ("Hallo?", "Meier, guten Tag."),
    "fr": ("Allô?", "Oui, bonjour."),
    "es": ("¿Diga?", "Hola, buenos días."),
    "it": ("Pronto?", "Pronto, chi parla?"),
}
LONG = {
    "en-us": (
        "You have reached the voice mail of John Miller. I cannot take your call right now. Please leave a message.",
        "Hi, we are not at home at the moment, please leave your name and your number after the tone.",
    ),
    "en-gb": ("The person you are calling is not available. Please leave a message after the tone.",),
    "de": ("Guten Tag, Sie sind verbunden mit der Mailbox von Anna Schmidt. Bitte sprechen Sie nach dem Ton.",),
    "fr": ("Bonjour, vous êtes bien sur la messagerie de Paul. Laissez un message après le bip.",),
    "es": ("Hola, en este momento no puedo atenderle. Por favor, deje su mensaje después de la señal.",),
    "it": ("Salve, in questo momento non sono disponibile. Lasciate un messaggio dopo il segnale acustico.",),
}
KEYS = {
    key: (low, high)
    for low, row in zip((697, 770, 852, 941), ("123A", "456B", "789C", "*0#D"), strict=True)
    for high, key in zip((1_209, 1_336, 1_477, 1_633), row, strict=True)
}


@frozen
class Sound:
    name: str
    kind: str
    samples: Samples
    beep: tuple[float, float] | None = None
    """Where it is."""


def silence(seconds: float) -> Wave:
    return np.zeros(round(seconds * RATE))


def tone(frequencies: tuple[float, ...], seconds: float, level: float = 4_000) -> Wave:
    times = np.arange(round(seconds * RATE)) / RATE
    wave = sum((np.sin(2 * np.pi * each * times) for each in frequencies), np.zeros(times.size))
    return wave * (level / len(frequencies))


def cadence(frequencies: tuple[float, ...], pattern: tuple[float, ...], seconds: float, level: float) -> Wave:
    parts: list[Wave] = []
    while sum(part.size for part in parts) < seconds * RATE:
        for index, length in enumerate(pattern):
            parts.append(silence(length) if index % 2 else tone(frequencies, length, level))
    return np.concatenate(parts)[: round(seconds * RATE)]


def sit(level: float, offset: float = 0.0) -> Wave:
    first, second = (985.2, 1_428.5) if offset else (913.8, 1_370.6)
    parts = [tone((each,), 0.33, level) for each in (first, second, 1_776.7)]
    return np.concatenate(parts)


def music(rng: random.Random, seconds: float) -> Wave:
    """Chords and a melody of plucked and held notes, with a drum."""
    whole = silence(seconds)
    beat = rng.choice((0.35, 0.45, 0.6))
    scale = [220 * 2 ** (step / 12) for step in (0, 2, 4, 5, 7, 9, 11, 12, 14, 16)]
    at = 0.0
    while at < seconds:
        notes = rng.sample(scale, 3) if rng.random() < 0.5 else rng.sample(scale, 1)
        length = beat * rng.choice((1, 1, 2))
        times = np.arange(round(min(length, seconds - at) * RATE)) / RATE
        note = np.zeros(times.size)
        for pitch in notes:
            for harmonic in range(1, 5):
                note += np.sin(2 * np.pi * pitch * harmonic * times) / harmonic**1.3
        note *= np.exp(-times * rng.choice((0.5, 2.0)))
        note[: round(0.02 * RATE)] += np.random.default_rng(rng.randrange(1 << 30)).normal(
            0, 0.4, note[: round(0.02 * RATE)].size
        )
        start = round(at * RATE)
        whole[start : start + note.size] += note * 2_000 / len(notes) ** 0.5
        at += length
    return whole


@lru_cache(maxsize=512)
def spoken(text: str, voice: str, speed: int, pitch: int) -> Wave:
    """As espeak-ng says it, without the silence around it."""
    if shutil.which("espeak-ng") is None:
        return _syllables(len(text) / 14, pitch)
    made = subprocess.run(
        ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", text],
        capture_output=True,
        check=True,
    )
    with wave.open(BytesIO(made.stdout)) as file:
        data = np.frombuffer(file.readframes(1 << 26), dtype="<i2").astype(np.int16)
        rate = file.getframerate()
    samples = Resampler(rate, RATE).process(data).astype(np.float64)
    loud = np.flatnonzero(np.abs(samples) > 200)
    samples = samples[loud[0] : loud[-1] + 1]
    return samples * (9_000 / np.abs(samples).max())


def _syllables(seconds: float, pitch: int) -> Wave:
    rng = np.random.default_rng(pitch)
    parts: list[Wave] = []
    while sum(part.size for part in parts) < seconds * RATE:
        times = np.arange(round(rng.uniform(0.12, 0.25) * RATE)) / RATE
        glide = (90 + pitch) * (1 + rng.uniform(-0.25, 0.25) * times / times[-1])
        phase = 2 * np.pi * np.cumsum(glide) / RATE
        formant, other = rng.uniform(300, 800), rng.uniform(900, 2_200)
        wave = np.zeros(times.size)
        for harmonic in range(1, 25):
            at = harmonic * glide.mean()
            gain = 1 / (1 + ((at - formant) / 150) ** 2) + 0.5 / (1 + ((at - other) / 200) ** 2)
            wave += gain * np.sin(harmonic * phase)
        wave *= np.hanning(times.size)
        hiss = rng.normal(0, 600, round(rng.uniform(0.02, 0.06) * RATE))
        parts += [wave / max(np.abs(wave).max(), 1e-9) * 8_000, hiss]
    return np.concatenate(parts)


def through(samples: Wave, codec: str, lost: float, rng: random.Random, noise: float = 0.0) -> Samples:
    """As a call receives it: through a codec and a network that loses packets, concealed as in a call."""
    if noise:
        samples = samples + np.random.default_rng(rng.randrange(1 << 30)).normal(0, noise, samples.size)
    pcm = to_int16(samples)
    encoder, decoder = make_encoder(codec), make_decoder(codec)
    assert encoder is not None
    assert decoder is not None
    rate = encoder.sample_rate
    if rate != RATE:
        pcm = Resampler(RATE, rate).process(pcm)
    size = rate // 50
    frames = pcm[: pcm.size // size * size].reshape(-1, size)
    sender = RtpSender(encoder, payload_type=0, ssrc=1, sequence=0, timestamp=0)
    receiver = RtpReceiver({0: decoder}, events={}, heard_digit=lambda digit: None, rng=np.random.default_rng(1))
    heard: list[Samples] = []
    for index, frame in enumerate(frames):
        packet = parse(sender.next(lambda _, frame=frame: frame) or b"")
        assert packet is not None
        if rng.random() >= lost:
            receiver.receive(packet, index * 0.02)
        audio = receiver.beat(index * 0.02 + 0.03)
        if audio is not None:
            heard.append(audio)
    whole = np.concatenate(heard)
    return whole if receiver.sample_rate == RATE else Resampler(receiver.sample_rate, RATE).process(whole)


def sounds(each: int, seed: int = 1, codecs: tuple[str, ...] = ("PCMU", "PCMA", "opus")) -> Iterator[Sound]:
    """``each`` of every kind."""
    rng = random.Random(seed)
    makers: dict[str, Callable[[int], tuple[str, Wave, tuple[float, float] | None]]] = {
        "human": lambda index: (*_human(rng, index), None),
        "machine": lambda index: _machine(rng, index),
        "busy": lambda index: _network(rng, index, BUSY),
        "ringback": lambda index: _network(rng, index, RINGBACK),
        "sit": lambda index: ("sit", np.concatenate((sit(rng.uniform(1_500, 9_000), index % 2), silence(3))), None),
        "fax": lambda index: _fax(rng, index),
        "music": lambda index: (f"music {index}", music(rng, 6), None),
        "silence": lambda index: ("silence", silence(5), None),
    }
    for kind, make in makers.items():
        for index in range(each):
            name, body, beep = make(index)
            lead = rng.uniform(0.2, 1.0)
            codec, lost = codecs[index % len(codecs)], (0.0, 0.01, 0.05)[(index // 3) % 3]
            noise = rng.choice((0.0, 5.0, 15.0, 30.0))
            samples = through(np.concatenate((silence(lead), body)), codec, lost, rng, noise)
            place = None if beep is None else (beep[0] + lead, beep[1] + lead)
            yield Sound(f"{name}, {codec}, {100 * lost:.0f} % lost, noise {noise:.0f}", kind, samples, place)


def _voice(rng: random.Random, texts: dict[str, tuple[str, ...]], index: int) -> tuple[str, Wave]:
    language = list(texts)[index % len(texts)]
    text = rng.choice(texts[language])
    variant = rng.choice(("", "+m3", "+m7", "+f2", "+f4", "+f5"))
    said = spoken(text, language + variant, rng.choice((150, 165, 180)), rng.choice((35, 50, 65)))
    return f"{language}{variant}: {text}", said * rng.uniform(0.3, 1.5)


def _human(rng: random.Random, index: int) -> tuple[str, Wave]:
    name, said = _voice(rng, SHORT, index)
    return name, np.concatenate((said, silence(3)))


def _machine(rng: random.Random, index: int) -> tuple[str, Wave, tuple[float, float]]:
    name, said = _voice(rng, LONG, index)
    pause, length = rng.uniform(0.3, 1.5), rng.choice((0.2, 0.3, 0.5, 0.8, 1.0))
    pitch = rng.choice((440, 600, 800, 850, 1_000, 1_200, 1_400, 1_750, 2_000))
    beep = tone((pitch,), length, rng.uniform(2_000, 9_000))
    start = said.size / RATE + pause
    return (
        f"{name} / {pitch} Hz {length} s",
        np.concatenate((said, silence(pause), beep, silence(2))),
        (start, start + length),
    )


def _network(
    rng: random.Random, index: int, table: Mapping[str, tuple[tuple[int, ...], tuple[float, ...]]]
) -> tuple[str, Wave, None]:
    country = list(table)[index % len(table)]
    frequencies, pattern = table[country]
    return country, cadence(frequencies, pattern, 6, rng.uniform(1_500, 9_000)), None


def _fax(rng: random.Random, index: int) -> tuple[str, Wave, None]:
    level = rng.uniform(2_000, 9_000)
    if index % 2:
        return "CNG", cadence((1_100,), (0.5, 3), 7, level), None
    return "CED", np.concatenate((tone((2_100,), 3, level), silence(1))), None
