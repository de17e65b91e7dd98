"""The programs of the how-to pages about voice bots run as they are printed."""

import re
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[2] / "docs" / "how-to"

pytestmark = [pytest.mark.net, pytest.mark.media]


def run(page: str) -> None:
    for program in re.findall(r"^```python\n(.*?)^```$", (PAGES / page).read_text(encoding="utf-8"), re.M | re.S):
        exec(compile(program, page, "exec"), {"__name__": "__main__"})


def test_what_was_heard(capsys: pytest.CaptureFixture[str]) -> None:
    run("what-was-heard.md")
    said = capsys.readouterr().out
    told = re.match(r"the caller has heard: ([\w ]+)\n(\d\.\d) s of it; (\d\.\d) s were dropped\n", said)
    assert told is not None, said
    assert "Our office is open from nine to five".startswith(told[1])
    assert float(told[2]) > 0 < float(told[3])


def test_turns(capsys: pytest.CaptureFixture[str]) -> None:
    run("turns.md")
    said = capsys.readouterr().out
    assert re.fullmatch(r"remote: [01]\.\d s\nlocal: [01]\.\d s, the caller waited 0\.\d s", said), said


def test_call_sense(capsys: pytest.CaptureFixture[str]) -> None:
    run("call-sense.md")
    assert capsys.readouterr().out == "busy\n5 audio\n"


def test_ai_assistant(capsys: pytest.CaptureFixture[str]) -> None:
    run("ai-assistant.md")
    assert capsys.readouterr().out.splitlines() == [
        "assistant: Good morning.",
        "user: Are you open?",
        'assistant: "from 9 to 5"',
    ]


def test_transfer_and_conference(capsys: pytest.CaptureFixture[str]) -> None:
    run("transfer-and-conference.md")
    assert capsys.readouterr().out == "the agent hears the customer\n3 calls in conference\n"


def test_figures(capsys: pytest.CaptureFixture[str]) -> None:
    run("figures.md")
    received, kinds, *steps, latency = capsys.readouterr().out.splitlines()
    assert int(received.removeprefix("packets received: ")) > 20
    assert {"inbound-rtp", "outbound-rtp", "transport", "codec", "candidate-pair"} <= set(kinds.split())
    assert any(step.endswith("Call is active") for step in steps)
    assert re.fullmatch(r"the server answers in \d+\.\d ms", latency)
