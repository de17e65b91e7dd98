"""``demo --bot``: the whole story between real clients with real media, with short sounds in place of sentences."""

import asyncio
from pathlib import Path

import pytest

from telnyx_core._wire.json_types import JsonObject
from telnyx_drivers._assets import sound
from telnyx_drivers._tools.cli.bot_demo import WORDS, Line, demonstrate, spoken
from telnyx_drivers._tools.cli.exits import Exit
from telnyx_drivers._tools.cli.output import Output
from telnyx_drivers.asyncio import Tone

pytestmark = [pytest.mark.net, pytest.mark.media, pytest.mark.slow]


def test_a_bot_is_interrupted_is_told_a_key_connects_and_says_goodbye(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:

    lengths = {"greeting": 5.0, "interrupt": 1.0}

    def short(name: str) -> Line:
        return Line(*WORDS[name], lambda: Tone(400, 900, duration=lengths.get(name, 0.3)))

    lines = {name: short(name) for name in WORDS}
    document: JsonObject = {}
    page = tmp_path / "page.html"

    async def story() -> Exit:
        async with asyncio.timeout(40):
            return await demonstrate(
                lines, Output(json=False), document, record=tmp_path / "call.wav", page=page, patience=0.5
            )

    assert asyncio.run(story()) is Exit.OK, document
    said = [line["text"] for line in document["transcript"]]  # type: ignore[index, union-attr, call-overload]
    assert said == [text for _, text in WORDS.values()]
    bot = document["bot"]
    assert isinstance(bot, dict)
    assert bot["pressed"] == "2"
    assert isinstance(heard := bot["greeting_heard_seconds"], float)
    assert 0.3 < heard < 4
    assert document["digits_heard"] == "2"
    assert document["hangup"]["cause"] == "NORMAL_CLEARING"  # type: ignore[index, call-overload]
    assert "<html" in page.read_text(encoding="utf-8")
    assert "presses 2" in capsys.readouterr().out


def test_every_line_has_its_sound() -> None:
    async def sounds() -> list[Path]:
        async with spoken() as lines:
            return [Path(str(line.sound())) for line in lines.values()]

    assert {path.name for path in asyncio.run(sounds())} == {f"{name}.ogg" for name in WORDS}
    assert all(sound(name).is_file() for name in WORDS)
