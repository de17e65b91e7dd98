"""The page in a real browser: drawn, without an error, on a desk and on a phone, by day and by night."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from html import escape
from math import sin
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import pytest
from attrs import evolve

from telnyx_drivers._tools.report.call_timeline import (
    CallTimeline,
    Change,
    End,
    Fact,
    Message,
    Note,
    Sample,
    Step,
    Story,
    Totals,
)
from telnyx_drivers._tools.report.call_timeline import Path as Route
from telnyx_drivers._tools.report.index import render_index, rows_of
from telnyx_drivers._tools.report.page import render
from telnyx_drivers._tools.report.sound import embedded
from telnyx_drivers._tools.report.waveform import outline
from tests.quality.test_page import record

CHROMIUM: Final = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--virtual-time-budget=4000",
)
WATCH: Final = """<script>
addEventListener("error", (event) => { document.documentElement.dataset.error = event.message; });
addEventListener("securitypolicyviolation", (event) => { document.documentElement.dataset.error = event.blockedURI; });
</script>"""

NARROWEST: Final = 500
"""Pixels: no window of a headless Chromium is narrower, whatever it is asked for."""
PHONE: Final = """<!doctype html><iframe width="{width}" height="900" srcdoc="{page}"></iframe><script>
const inner = document.querySelector("iframe");
setInterval(() => Object.assign(document.documentElement.dataset, inner.contentDocument.documentElement.dataset), 100);
</script>"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium"),
]
Browse: TypeAlias = Callable[..., str]


def long_call() -> Story:
    """Five minutes with everything that a page can show."""
    samples = tuple(
        Sample(
            at=1000.0 + n,
            rtt=60 + 40 * sin(n / 9),
            jitter=8 + 6 * sin(n / 5),
            loss=max(0.0, 3 * sin(n / 20)),
            mos=4.2 - max(0.0, sin(n / 20)),
            heard=abs(sin(n)) / 5,
            said=None if n % 7 == 0 else abs(sin(n / 3)) / 5,
            received=32.0,
            sent=31.0,
            concealed=1.0,
            delay=40.0,
        )
        for n in range(300)
    )
    call = CallTimeline(
        id="d82018b1-43c5-4ce2-813f-7f5de4a335a8",
        direction="outbound",
        local_number="number 1",
        remote_number="number 2",
        started_at=999.0,
        active_at=1000.0,
        ended_at=1300.0,
        cause="NORMAL_CLEARING",
        recovered=True,
        facts=(Fact("Telnyx session", "0deb475a-98cd-44f9-ac5e-24378b41e6a9"),),
        samples=samples,
        changes=(
            Change(999.0, "call", "new"),
            Change(1000.0, "call", "active"),
            Change(1100.0, "call", "recovering"),
            Change(1104.0, "call", "active"),
            Change(1300.0, "call", "hangup"),
            Change(999.1, "ice", "checking"),
            Change(999.3, "ice", "completed"),
        ),
        notes=(Note(1062.0, "warning", 31003, "HIGH_PACKET_LOSS"), Note(1100.0, "error", 45002, "WEBSOCKET_ERROR")),
        steps=(Step("Peer object created", 0.0, 0.0), Step("Call is active", 1000.0, 1000.0)),
        paths=(Route(1000.0, End("address 1", 4000, "srflx", "udp"), End("address 2", 5000, "relay", "udp")),),
        candidates=("candidate:1 1 udp 2130706431 address-1 40000 typ host",),
    )
    rows = tuple(
        Message(999.0 + n, side, f"{side} {n}", n % 2 == 0, n % 9 == 0, detail='{"a": [1, 2]}' if n % 3 else "")
        for n, side in enumerate(("app", "server", "media", "self", "server") * 8)
    )
    return Story(source="journal", made_by="telnyx-rtc 0.1.0", calls=(call,), messages=rows)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("wave")
    time = np.arange(80_000)
    tone = (9000 * np.sin(time / 9) * np.sin(time / 4000)).astype(np.int16)
    wave = record(folder / "it.wav", np.column_stack((tone, -tone)), 2)
    return render(long_call(), outline=outline(wave), sound=embedded(wave), hidden=False)


@pytest.fixture
def browse(tmp_path: Path) -> Browse:
    """Opens a page, with a script at its end, and gives the document as it is then."""

    def open_page(page: str, script: str = "", *, width: int = 1180, dark: bool = False) -> str:
        text = page.replace("<head>", "<head>" + WATCH, 1).replace("</body>", f"<script>{script}</script></body>")
        path = tmp_path / "page.html"
        path.write_text(text if width >= NARROWEST else PHONE.format(width=width, page=escape(text)))
        return chromium(path, "--dump-dom", width=width, dark=dark)

    return open_page


def chromium(path: Path, *arguments: str, width: int, height: int = 1600, dark: bool = False) -> str:
    assert CHROMIUM is not None
    scheme = ("--blink-settings=preferredColorScheme=0",) if dark else ("--blink-settings=preferredColorScheme=1",)
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run(
            [
                CHROMIUM,
                *FLAGS,
                *scheme,
                f"--window-size={width},{height}",
                f"--user-data-dir={profile}",
                *arguments,
                path.as_uri(),
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
    return done.stdout


def attribute(document: str, name: str) -> str | None:
    found = re.search(rf'<html[^>]*\bdata-{name}="([^"]*)"', document)
    return None if found is None else found[1]


@pytest.mark.parametrize(("width", "dark"), [(1180, False), (1180, True), (390, False), (390, True)])
def test_everything_is_drawn_and_nothing_fails(browse: Browse, page: str, width: int, dark: bool) -> None:
    document = browse(
        page,
        """
        const root = document.documentElement;
        root.dataset.width = innerWidth;
        root.dataset.overflow = document.scrollingElement.scrollWidth - innerWidth;
        root.dataset.blank = [...document.querySelectorAll("canvas")].filter((canvas) => {
          const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
          return !pixels.some((value) => value);
        }).length;
        root.dataset.ink = getComputedStyle(document.body).color;
        """,
        width=width,
        dark=dark,
    )
    assert attribute(document, "error") is None
    assert attribute(document, "width") == str(width)
    assert attribute(document, "drawn") == "6"
    assert attribute(document, "blank") == "0"
    assert int(attribute(document, "overflow") or 1) <= 0, "nothing sticks out to the right"
    red = int(re.findall(r"\d+", attribute(document, "ink") or "")[0])
    assert (red > 128) == dark


def test_the_switches(browse: Browse, page: str) -> None:
    """Light and dark, people on and off, and which rows are shown."""
    document = browse(
        page,
        """
        const root = document.documentElement;
        const rows = [...document.querySelectorAll(".rung:not(.heads)")];
        const shown = () => rows.filter((row) => row.offsetParent).length;
        root.dataset.main = shown();
        document.querySelector('[data-show="all"]').click();
        root.dataset.all = shown();
        document.querySelector('[data-show="server"]').click();
        root.dataset.server = shown();
        document.querySelector('[data-show="bad"]').click();
        root.dataset.bad = shown();
        document.getElementById("theme").click();
        root.dataset.once = root.dataset.theme;
        document.getElementById("theme").click();
        document.getElementById("hide").click();
        root.dataset.blur = getComputedStyle(document.querySelector("h1 .who")).filter;
        root.dataset.pressed = document.getElementById("hide").getAttribute("aria-pressed");
        """,
    )
    assert attribute(document, "error") is None
    rows = [attribute(document, name) for name in ("main", "all", "server", "bad")]
    assert rows == ["19", "40", "16", "5"], "internals only where all is asked for"
    assert (attribute(document, "once"), attribute(document, "theme")) == ("dark", "light")
    assert attribute(document, "blur") == "blur(5px)"
    assert attribute(document, "pressed") == "true"


def test_a_frame_opens(browse: Browse, page: str) -> None:
    document = browse(
        page,
        """
        const frame = document.querySelector(".rung details");
        frame.firstElementChild.click();
        document.documentElement.dataset.open = frame.open + " " + (frame.querySelector("pre").offsetHeight > 20);
        """,
    )
    assert attribute(document, "open") == "true true"


def test_the_recording_plays_and_a_line_over_every_chart_says_where(browse: Browse, page: str) -> None:
    """The call became active after one second of the page's 301; the recording of 10 s is at its fourth second."""
    document = browse(
        page,
        """
        const audio = document.querySelector("audio"), root = document.documentElement;
        const told = () => {
          const track = document.querySelector(".track");
          const at = (holder) => parseFloat(holder.querySelector(".playhead").style.left);
          root.dataset.length = audio.duration.toFixed(1);
          root.dataset.lane = (at(track) / track.clientWidth * 301).toFixed(1);
          const wave = document.querySelector(".wave");
          root.dataset.wave = (at(wave) / wave.clientWidth).toFixed(2);
          root.dataset.heads = document.querySelectorAll(".u-over .playhead").length;
        };
        const begin = () => {
          const wave = document.querySelector(".wave"), box = wave.getBoundingClientRect();
          wave.dispatchEvent(new MouseEvent("click", { clientX: box.left + 0.4 * box.width }));
          told();
        };
        setInterval(() => { if (audio.readyState && !root.dataset.lane) begin(); }, 50);
        """,
    )
    assert attribute(document, "error") is None
    assert (attribute(document, "length"), attribute(document, "heads")) == ("10.0", "6")
    assert (attribute(document, "lane"), attribute(document, "wave")) == ("5.0", "0.40")


@pytest.mark.parametrize("width", [1180, 390])
def test_an_index_filters_and_says_how_the_figures_are_spread(browse: Browse, tmp_path: Path, width: int) -> None:
    whole = long_call()
    (call,) = whole.calls
    rows = []
    for number in range(1, 21):
        made = evolve(call, id=f"c{number}", totals=Totals(mos=5 - number / 10, rtt=10.0 * number), notes=())
        rows += rows_of(evolve(whole, calls=(made,)), tmp_path / f"{number}.html", tmp_path, hidden=False)
    busy = evolve(call, id="busy", active_at=None, cause="USER_BUSY", remote_number="+15550100")
    rows += rows_of(evolve(whole, calls=(busy,)), tmp_path / "a b.html", tmp_path, hidden=False)
    document = browse(
        render_index("calls", rows, hidden=False),
        """
        const root = document.documentElement;
        const figures = (name) => [...document.querySelectorAll(`[data-figure="${name}"] td`)]
          .map((cell) => cell.textContent).join(" ");
        const filter = (id, value) => {
          const field = document.getElementById(id);
          field.value = value;
          field.dispatchEvent(new Event("input"));
        };
        root.dataset.count = document.getElementById("count").textContent;
        root.dataset.mos = figures("mos");
        root.dataset.rtt = figures("rtt");
        filter("trouble", "mos");
        root.dataset.low = document.getElementById("count").textContent + ": " + figures("rtt");
        filter("trouble", "");
        filter("search", "+15550100");
        root.dataset.found = document.getElementById("count").textContent;
        root.dataset.link = document.querySelector("[data-row]:not([hidden]) a").getAttribute("href");
        root.dataset.overflow = document.scrollingElement.scrollWidth - innerWidth;
        """,
        width=width,
    )
    assert attribute(document, "error") is None
    assert attribute(document, "count") == "21 calls, 20 answered"
    assert attribute(document, "mos") == "4.00 3.20 3.10 3.00 3.00 20"
    assert attribute(document, "rtt") == "100 180 190 200 200 20"
    assert attribute(document, "low") == "5 of 21 calls, 5 answered: 180 200 200 200 200 5"
    assert attribute(document, "found") == "1 of 21 calls, 0 answered"
    assert attribute(document, "link") == "a%20b.html"
    assert int(attribute(document, "overflow") or 1) <= 0


def test_pictures_of_the_page(tmp_path: Path, page: str) -> None:
    """By day and by night they differ, and neither is empty."""
    path = tmp_path / "page.html"
    path.write_text(page)
    pictures: list[bytes] = []
    for dark in (False, True):
        picture = tmp_path / f"{dark}.png"
        chromium(path, f"--screenshot={picture}", width=1180, dark=dark)
        pictures.append(picture.read_bytes())
    assert all(len(picture) > 40_000 for picture in pictures)
    assert pictures[0] != pictures[1]
