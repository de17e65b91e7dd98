"""The page itself: whole, escaped, self-contained (quality issue 5)."""

import html
import json
import re
import wave
from base64 import b64decode
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
from attrs import evolve

from telnyx_core.catalogue import ERRORS, ErrorCode
from telnyx_drivers._tools.report.call_timeline import CallTimeline, Change, Fact, Message, Note, Sample, Story
from telnyx_drivers._tools.report.lanes import lanes, window
from telnyx_drivers._tools.report.page import MOST_ROWS, render
from telnyx_drivers._tools.report.sound import embedded
from telnyx_drivers._tools.report.waveform import outline

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{7*7}}"


def call(**changes: object) -> CallTimeline:
    samples = tuple(
        Sample(at=100.0 + n, rtt=40.0, jitter=5.0, loss=0.0, mos=4.3, heard=0.1, said=0.2) for n in range(10)
    )
    made = CallTimeline(
        id="c-1",
        direction="outbound",
        local_number="5551234",
        remote_number="+15557654321",
        started_at=99.0,
        active_at=100.0,
        ended_at=110.0,
        samples=samples,
        changes=(Change(99.0, "call", "new"), Change(100.0, "call", "active"), Change(110.0, "call", "hangup")),
        notes=(Note(103.0, "warning", 31001, "HIGH_RTT"),),
    )
    return evolve(made, **changes)  # type: ignore[arg-type]


def story(*calls: CallTimeline, messages: tuple[Message, ...] = ()) -> Story:
    return Story(source="journal", made_by="telnyx-rtc 0.1.0", calls=calls, messages=messages)


def data_of(page: str) -> dict[str, object]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    value: dict[str, object] = json.loads(found[1])
    return value


def test_a_page_needs_nothing_else() -> None:
    """No network: nothing is loaded, and the page itself forbids it."""
    page = render(story(call()))
    assert "default-src 'none'" in page
    assert not re.findall(r"""(?:src|href)\\s*=\\s*["']?(?!data:)""", page)
    assert "@import" not in page
    assert "url(" not in page
    assert "uPlot" in page


def test_nothing_that_somebody_else_wrote_is_markup() -> None:
    """Numbers, states, names, frames and facts come from the far end, or from a file of a stranger."""
    evil = call(
        id=EVIL,
        local_number=EVIL,
        remote_number=EVIL,
        cause=EVIL,
        facts=(Fact(EVIL, EVIL),),
        changes=(Change(100.0, "call", EVIL),),
        notes=(Note(103.0, "warning", 31001, EVIL, EVIL),),
        ended_by=EVIL,
        candidates=(EVIL,),
    )
    rows = (Message(99.0, "server", EVIL, True, detail=json.dumps({"x": EVIL})), Message(99.0, "app", EVIL, False))
    page = render(evolve(story(evil, messages=rows), made_by=EVIL, remarks=(EVIL,)))
    assert page.count("<script") == 3, "the data, the library, and ours"
    assert "<img" not in page
    assert "onerror=alert(2)" in html.unescape(page), "it is shown as it is"
    assert "49" not in re.findall(r"\{\{.*?\}\}", page)
    data_of(page)


def test_every_chart_that_has_something_to_show_is_there() -> None:
    page = render(story(call()))
    names = re.findall(r'data-chart="(\w+)"', page)
    assert names == ["mos", "loss", "rtt", "jitter", "levels"]
    bare = render(story(call(samples=())))
    assert 'data-chart="' not in bare


def test_charts_count_from_the_beginning_of_the_call() -> None:
    data = data_of(render(story(call())))
    [drawn] = data["calls"]  # type: ignore[misc]
    assert drawn["times"][:2] == [1.0, 2.0]
    assert drawn["notes"] == [{"at": 4.0, "level": "warning", "text": "31001 HIGH_RTT"}]
    assert drawn["length"] == 11.0
    levels = next(chart for chart in drawn["charts"] if chart["name"] == "levels")
    assert levels["values"][0][0] == pytest.approx(-13.979, abs=0.001), "decibels of full scale"


def test_silence_is_at_the_bottom_and_the_unknown_is_a_gap() -> None:
    samples = (Sample(at=100.0, said=0.0), Sample(at=101.0, said=None), Sample(at=102.0, said=1.0))
    [drawn] = data_of(render(story(call(samples=samples))))["calls"]  # type: ignore[misc]
    assert drawn["charts"][0]["values"][0] == [-60.0, None, 0.0]


def test_holds_and_outages_are_bands() -> None:
    changes = (
        Change(100.0, "call", "active"),
        Change(103.0, "call", "recovering"),
        Change(104.0, "call", "active"),
        Change(106.0, "call", "held"),
    )
    [drawn] = data_of(render(story(call(changes=changes))))["calls"]  # type: ignore[misc]
    assert drawn["bands"] == [
        {"from": 4.0, "to": 5.0, "state": "recovering"},
        {"from": 7.0, "to": 11.0, "state": "held"},
    ]


def test_figures_are_those_that_were_reported_and_otherwise_means() -> None:
    page = render(story(call()))
    assert re.search(r'class="value">4\.30<', page)
    assert "excellent, lowest 4.30" in page
    empty = render(story(call(samples=())))
    assert "not measured" in empty


def test_people_can_be_hidden_on_the_screen_where_they_are_in_the_page() -> None:
    assert 'id="hide"' in render(story(call()), hidden=False)
    assert 'id="hide"' not in render(story(call()), hidden=True)
    assert "people hidden" in render(story(call()), hidden=True)


def test_a_call_that_never_came_about() -> None:
    page = render(story(call(active_at=None, samples=(), changes=(), notes=(), ended_at=None, started_at=None)))
    assert "never answered" in page


def test_an_unanswered_call_leads_with_the_reason_and_what_helps() -> None:
    busy = call(active_at=None, samples=(), cause="USER_BUSY", ended_by="USER_BUSY (17), SIP 486 Busy Here")
    page = render(story(busy))
    reason = re.search(r'<section class="card verdict".*?</section>', page, re.S)
    assert reason is not None
    for said in ("Busy", "declined as busy", "USER_BUSY (17), SIP 486 Busy Here"):
        assert said in reason[0]
    assert reason.start() < page.index('<details class="told') < page.index("Course of the call")
    assert 'class="tiles"' not in page, "figures of a call that carried no audio"
    assert page.count('<details class="told') == 1
    assert 'class="card verdict"' not in render(story(call()))


def test_what_the_catalogue_knows_stands_under_each_warning_and_error() -> None:
    error = Note(104.0, "error", 45002, "WEBSOCKET_ERROR", "1006 <script>")
    page = render(story(call(notes=(error, Note(105.0, "warning", 99999, "NEWER_THAN_WE")))))
    first, second = re.findall(r'<details class="told (.*?)</details>', page, re.S)
    assert first.startswith('error"')
    assert "1006 &lt;script&gt;" in first
    entry = ERRORS[ErrorCode.WEBSOCKET_ERROR]
    shown = html.unescape(first)
    assert all(text in shown for text in (entry.description, *entry.causes, *entry.solutions))
    assert "does not know it" in second


def test_a_file_without_a_call() -> None:
    assert "There is no call in this journal." in render(story())


def test_a_ladder_of_thousands_of_rows_is_cut() -> None:
    rows = tuple(Message(100.0 + n, "server", f"frame {n}", True) for n in range(MOST_ROWS + 7))
    page = render(story(call(), messages=rows))
    assert page.count('class="rung server') == MOST_ROWS
    assert "7 more rows are left out." in page


# Lanes.


def test_a_state_lasts_until_the_next() -> None:
    made = call()
    [row] = lanes(made, *window(made))
    assert [(block.state, round(block.left), round(block.width)) for block in row.blocks] == [
        ("new", 0, 9),
        ("active", 9, 91),
    ]
    assert [block.tone for block in row.blocks] == ["calm", "good"]


def test_a_window_is_never_empty() -> None:
    assert window(CallTimeline(id="x")) == (0.0, 0.001)


# Waveforms.


def record(
    path: Path, samples: "np.ndarray[tuple[int, ...], np.dtype[np.int16]]", channels: int, rate: int = 8000
) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def test_an_outline_is_the_loudest_of_each_column(tmp_path: Path) -> None:
    left = np.zeros(8000, dtype=np.int16)
    left[1000], left[1001] = 32767, -32768
    path = record(tmp_path / "it.wav", np.column_stack((left, np.full(8000, 258, dtype=np.int16))), 2)
    drawn = outline(path, columns=80)
    (high, low), (steady, _) = drawn.channels
    assert (drawn.seconds, len(high)) == (1.0, 80)
    assert (high[10], low[10]) == (127, -127)
    assert sum(high) == 127
    assert set(steady) == {1}


@pytest.mark.parametrize("frames", [0, 1, 79, 80, 81, 12_345])
def test_outlines_of_any_length(tmp_path: Path, frames: int) -> None:
    path = record(tmp_path / "it.wav", np.ones(frames, dtype=np.int16), 1)
    [(high, low)] = outline(path, columns=80).channels
    assert len(high) == len(low) <= 80
    assert bool(high) == bool(frames)


def test_a_long_recording_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    samples = rng.integers(-30000, 30000, 50_000, dtype=np.int16)
    path = record(tmp_path / "it.wav", samples, 1)
    whole = outline(path, columns=100)
    monkeypatch.setattr("telnyx_drivers._tools.report.waveform._BLOCK", 1000)
    assert outline(path, columns=100) == whole


def test_a_recording_is_carried_as_what_every_browser_plays(tmp_path: Path) -> None:
    seconds = np.arange(16_000) / 8_000
    tone = (9_000 * np.sin(2 * np.pi * 440 * seconds)).astype(np.int16)
    sound = embedded(record(tmp_path / "it.wav", np.column_stack((tone, np.zeros_like(tone))), 2))
    kind, _, data = sound.partition(";base64,")
    assert kind == "data:audio/webm"
    assert len(data) < 30_000
    with av.open(BytesIO(b64decode(data))) as file:
        assert file.streams.audio[0].codec_context.name == "opus"
        frames = [frame.to_ndarray() for frame in file.decode(audio=0)]
    heard = np.concatenate(frames, axis=1)
    assert heard.shape[1] / 48_000 == pytest.approx(2.0, abs=0.05)
    left, right = (float(np.abs(side).max()) for side in heard)
    assert left > 0.2 > 5 * right, "said stays left, heard stays right"
    page = render(story(call()), outline=outline(tmp_path / "it.wav"), sound=sound)
    assert f'<audio controls preload="metadata" src="{sound}">' in page
    assert "<audio" not in render(story(call()), outline=outline(tmp_path / "it.wav"))


def test_what_cannot_be_played_is_not_carried(tmp_path: Path) -> None:
    (tmp_path / "it.wav").write_bytes(b"no audio at all " * 40)
    with pytest.raises(ValueError, match="no recording"):
        embedded(tmp_path / "it.wav")


@pytest.mark.parametrize("content", [b"", b"RIFF", b"no wave at all" * 10])
def test_what_is_no_wave_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "it.wav"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="no WAV file"):
        outline(path)
