"""What our Opus encoder makes of speech, as a listener would judge it, and what that costs.

    pip install -e '.[bench]'; python bench/quality.py [--rounds 5] [--recorded FOLDER]

Sentences of several synthesisers (espeak-ng, flite, festival: whichever are installed, and the package's own) go
through libopus at 32 kbit/s over a clean path and are scored by PESQ-wb (ITU-T P.862.2) against what went in. The
speech has 16 kHz, as most applications speak; for a full-band encoder it is brought to 48 kHz first, as a call does,
and that is part of the time. Times are the least of some rounds, in microseconds for 20 ms, and mean something beside
each other only.

``--recorded`` takes people instead: the prompts of Asterisk, a folder for each voice, in G.722 (16 kHz). Debian has
them; they are CC-BY-SA 3.0 (English and Spanish, Allison Smith; French, June Wallack) and CC-BY 3.0 (Italian, Carlo
Flora; Russian), and no part of this repository:

    apt-get download asterisk-core-sounds-{en,es,fr,it,ru}-g722
    for each in *.deb; do dpkg -x $each prompts; done
    python bench/quality.py --recorded prompts/usr/share/asterisk/sounds
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from statistics import mean

import numpy as np
from pesq import pesq

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import telnyx_drivers
from telnyx_drivers._audio.decode import open_decoder
from telnyx_drivers._audio.frames import Samples
from telnyx_drivers._audio.resampler import Resampler
from telnyx_drivers._audio.rtp import libopus
from telnyx_drivers.asyncio import OpusSettings

RATE = 16_000
SENTENCES = (
    "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background.",
    "It is easy to tell the depth of a well. These days a chicken leg is a rare dish.",
    "Rice is often served in round bowls. The juice of lemons makes fine punch.",
)
"""Of the Harvard sentences (IEEE 1969), which telephone engineers have used ever since."""
PROMPTS = 6
G722_BYTES = 8_000
"""A second."""
VARIANTS = {
    "full band, complexity 2 (before)": OpusSettings(complexity=2, full_band=True),
    "full band, complexity 5": OpusSettings(complexity=5, full_band=True),
    "full band, complexity 9": OpusSettings(complexity=9, full_band=True),
    "wideband, complexity 2": OpusSettings(complexity=2),
    "wideband, complexity 5 (now)": OpusSettings(),
    "wideband, complexity 9": OpusSettings(complexity=9),
}


def speak(folder: Path) -> Iterator[tuple[str, Path]]:
    """The sentences by every voice that there is."""
    for number, text in enumerate(SENTENCES):
        if which("espeak-ng"):
            for voice in ("en-us", "en-gb+f3"):
                file = folder / f"espeak-{voice}-{number}.wav"
                subprocess.run(["espeak-ng", "-v", voice, "-w", str(file), text], check=True, capture_output=True)
                yield f"espeak-ng {voice}", file
        if which("flite"):
            for voice in ("slt", "rms", "awb"):
                file = folder / f"flite-{voice}-{number}.wav"
                subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(file)], check=True, capture_output=True)
                yield f"flite {voice}", file
        if which("text2wave"):
            file = folder / f"festival-{number}.wav"
            subprocess.run(["text2wave", "-o", str(file)], input=text.encode(), check=True, capture_output=True)
            yield "festival kal", file
    yield "hello.wav", Path(telnyx_drivers.__file__).parent / "_assets" / "hello.wav"


def recorded(folder: Path) -> Iterator[tuple[str, Path]]:
    """The same prompts of every voice: some that last about as long as the sentences."""
    for voice in sorted(each for each in folder.iterdir() if each.is_dir()):
        lasting = [each for each in sorted(voice.glob("*.g722")) if 3 <= each.stat().st_size / G722_BYTES <= 6]
        for file in lasting[:: max(len(lasting) // PROMPTS, 1)][:PROMPTS]:
            yield voice.name, file


def read(path: Path) -> Samples:
    decoder = open_decoder(path)
    pieces: list[Samples] = []
    rate = RATE
    while (piece := decoder.read()) is not None:
        samples, rate = piece
        pieces.append(samples)
    decoder.close()
    return Resampler(rate, RATE).process(np.concatenate(pieces))


def through(settings: OpusSettings, speech: Samples) -> tuple[Samples, float]:
    """What a far end hears at 16 kHz, and the seconds that a frame took."""
    library = libopus.load()
    assert library is not None, "there is no libopus here"
    encoder, decoder = libopus.OpusEncoder(library, settings), libopus.OpusDecoder(library)
    to_codec = Resampler(RATE, settings.sample_rate)
    to_ear = Resampler(decoder.sample_rate, RATE)
    size = RATE // 50
    heard: list[Samples] = []
    took = 0.0
    held = np.zeros(0, np.int16)
    need = settings.sample_rate // 50
    for start in range(0, speech.size - size + 1, size):
        began = time.perf_counter()
        held = np.concatenate((held, to_codec.process(speech[start : start + size])))
        if held.size < need:
            continue
        frame, held = held[:need], held[need:]
        payload = encoder.encode(frame)
        took += time.perf_counter() - began
        heard.append(to_ear.process(decoder.decode(payload)))
    return np.concatenate(heard), took / len(heard)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--recorded", type=Path, metavar="FOLDER")
    given = parser.parse_args()
    rounds = given.rounds
    scores: dict[str, dict[str, list[float]]] = {name: {} for name in VARIANTS}
    times: dict[str, list[float]] = {name: [] for name in VARIANTS}
    with tempfile.TemporaryDirectory() as folder:
        voices = speak(Path(folder)) if given.recorded is None else recorded(given.recorded)
        spoken = [(voice, read(path)) for voice, path in voices]
    for voice, speech in spoken:
        for name, settings in VARIANTS.items():
            runs = [through(settings, speech) for _ in range(rounds)]
            times[name].append(min(took for _, took in runs))
            score = float(pesq(RATE, speech, runs[0][0], "wb"))
            scores[name].setdefault(voice, []).append(score)
    names = list(dict.fromkeys(voice for voice, _ in spoken))
    print("| encoder | all | worst |", " | ".join(names), "| us |")
    print("|---" * (len(names) + 4) + "|")
    for name in VARIANTS:
        every = [score for each in scores[name].values() for score in each]
        cells = [f"{mean(scores[name][voice]):.2f}" for voice in names]
        print(
            f"| {name} | {mean(every):.2f} | {min(every):.2f} |",
            " | ".join(cells),
            f"| {mean(times[name]) * 1e6:.0f} |",
        )


if __name__ == "__main__":
    main()
