"""Every Python block of the README, the pages and the docstrings runs, against one gateway; command lines are read.

A page's blocks share their names, as its reader's do. Whole programs run as they are; what is only a part finds what it
speaks of: a ``client`` that is registered, a ``call`` that is active, and stand-ins for what is the application's.
"""

import ast
import asyncio
import base64
import inspect
import re
import shlex
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from textwrap import dedent, indent
from types import CodeType
from typing import Any, Literal

import numpy as np
import pytest
import typer.main

from telnyx_core._options.address import parse_address
from telnyx_core._signalling import ice_servers, url
from telnyx_drivers import asyncio as door
from telnyx_drivers import telemetry
from telnyx_drivers._audio import devices
from telnyx_drivers._tools.cli.app import app
from telnyx_drivers.asyncio import CallHandle, TelnyxRTC
from telnyx_drivers.gateway import Gateway
from tests.audio.helpers import sine, write_wav
from tests.devices.fake_portaudio import FakePortAudio
from tests.drivers.servers import Servers
from tests.test_docs import BLOCK, PAGES, ROOT

pytestmark = [pytest.mark.net, pytest.mark.media, pytest.mark.slow]

ELSEWHERE = {
    "docs/index.md": "README.md",
    "docs/reference/events.md": "tests/core/test_reference.py",
    "docs/how-to/what-was-heard.md": "tests/examples/test_pages.py",
    "docs/how-to/turns.md": "tests/examples/test_pages.py",
    "docs/how-to/call-sense.md": "tests/examples/test_pages.py",
    "docs/how-to/ai-assistant.md": "tests/examples/test_pages.py",
    "docs/how-to/figures.md": "tests/examples/test_pages.py",
    "docs/how-to/transfer-and-conference.md": "tests/examples/test_pages.py",
    "docs/how-to/fleet.md": "tests/fleet/test_how_to.py",
    "docs/how-to/pipecat.md": "tests/adapters",
    "docs/how-to/livekit.md": "tests/adapters",
    "telnyx_drivers/adapters/pipecat.py": "tests/adapters",
    "telnyx_drivers/adapters/livekit.py": "tests/adapters",
}
"""Pages whose programs are held to more than to run, or that need a framework; and where that is done."""
OTHERWISE = {
    '"https://radio.example/live.mp3"': '"hello.wav"',  # nothing leaves this machine
    'Replay.from_file("tests/journals/lost.jsonl").check()': "Replay",  # the reader's own journal
    'destination="+15551230000")': 'destination="+15551230000", seconds=2.0)',  # no longer than need be
    "https://hooks.example/telephony": "https://127.0.0.1:9/",
    ".served(9464)": ".served(0)",  # another program may have it
    "TelnyxRTC(..., engine": "TelnyxRTC(login_token=jwt, engine",
}
PARTS_SPEAK_OF = (
    "AudioFrame",
    "ChunkDecoder",
    "Conference",
    "Noise",
    "Source",
    "Tone",
    "bridge",
    "loudspeaker",
    "microphone",
    "speaker",
)
"""Names of the door that are imported elsewhere on the page, or in the sentence before."""
TOKEN = "token-of-alice"
NUMBERS = ("+15550100", "+15551230000", "+15559990000")


def pages() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for page in PAGES:
        blocks = [dedent(each[3]) for each in BLOCK.finditer(page.read_text(encoding="utf-8")) if each[2] == "python"]
        if blocks:
            found[str(page.relative_to(ROOT))] = blocks
    for file in (*ROOT.glob("telnyx_core/**/*.py"), *ROOT.glob("telnyx_drivers/**/*.py")):
        if blocks := list(of_docstrings(file)):
            found[str(file.relative_to(ROOT))] = blocks
    return {name: blocks for name, blocks in found.items() if name not in ELSEWHERE}


def of_docstrings(file: Path) -> Iterator[str]:
    """What stands indented after ``::`` or a ``code-block``."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node) or ""
            for block in re.findall(r"(?:::|code-block:: python)\n\n((?:(?: {4}.*)?\n)*(?: {4}.*))", text):
                yield dedent(block)


class Service:
    """Whatever an application speaks to: takes audio, and gives it in pieces."""

    async def send(self, data: bytes) -> None:
        assert len(data) > 0

    async def finish(self) -> None: ...

    def feed(self, data: bytes) -> None:
        assert len(data) == 640, "20 ms of 16 kHz"

    async def stream(self) -> AsyncIterator[bytes]:
        for _ in range(3):
            yield bytes(960)

    async def __aiter__(self) -> AsyncIterator[dict[str, bytes]]:
        yield {"data": np.zeros(882, np.float32).tobytes()}


def names() -> dict[str, Any]:
    floats = np.zeros(882, np.float32).tobytes()
    return {
        **{name: getattr(door, name) for name in (*door.__all__, *PARTS_SPEAK_OF)},
        **{name: getattr(telemetry, name) for name in telemetry.__all__},
        "Literal": Literal,
        "secret": "secret",
        "__name__": "__main__",
        "jwt": TOKEN,
        "token": TOKEN,
        "pcm": bytes(960),
        "data": bytes(320),
        "message": {"audio": base64.b64encode(bytes(960)).decode(), "data": floats},
        "text": {None: "said before it was cut off"},
        "service": Service(),
        "recogniser": Service(),
        "recognizer": Service(),
    }


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    servers = Servers()
    yield servers
    servers.close()


@pytest.fixture(scope="module")
def gateway(servers: Servers) -> Gateway:
    routes = dict.fromkeys((*NUMBERS, "echo"), "echo")
    running: Gateway = servers.enter(Gateway(users={"alice": "secret"}, tokens={TOKEN: "alice"}, routes=routes))
    return running


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gateway: Gateway) -> Path:
    """Where a reader sits: the platform is the gateway, and the files and devices are there that the pages name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(url, "PRODUCTION", parse_address(gateway.url))
    monkeypatch.setattr(ice_servers, "PRODUCTION", ())
    monkeypatch.setattr(devices, "load_portaudio", FakePortAudio)
    monkeypatch.setenv("TELNYX_LOGIN_TOKEN", TOKEN)
    monkeypatch.setenv("TELNYX_API_KEY", "key")
    hello = write_wav(tmp_path / "hello.wav", sine(440, 8_000, 0.2), 8_000)
    for name in ("message.wav", "hold.mp3", "ring.mp3"):
        shutil.copy(hello, tmp_path / name)
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    return tmp_path


def compiled(text: str, name: str) -> CodeType:
    try:
        return compile(text, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except SyntaxError:  # a part of a generator
        program = f"async def part():\n{indent(text, '    ')}\nasync for _ in part(): pass"
        return compile(program, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


async def part(code: CodeType, space: dict[str, Any], loops: bool) -> None:
    """``loops``: it goes on for as long as its call does."""
    async with TelnyxRTC(login_token=TOKEN, ice_servers=[]) as client:
        call: CallHandle = await client.new_call("echo")
        space |= {"client": client, "call": call, "caller": call, "customer": call}
        space["agent"] = await client.new_call("echo")
        client.register_source("default", devices.microphone())
        for each in client.calls.values():
            await each.wait_for_state("active", timeout=10)
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            if loops:
                group.create_task(hang_up_soon(client))
            result = eval(code, space)
            if inspect.isawaitable(result):
                await result


async def hang_up_soon(client: TelnyxRTC) -> None:
    await asyncio.sleep(0.3)
    for call in client.calls.values():
        await call.hangup()


def run(name: str, blocks: list[str], home: Path) -> None:
    space = names()
    for number, block in enumerate(blocks, 1):
        text = block
        for written, instead in OTHERWISE.items():
            text = text.replace(written, instead)
        code = compiled(text, f"{name}, block {number}")
        whole = ".run(main" in text or "def test_" in text
        if whole or (not code.co_flags & inspect.CO_COROUTINE and not re.search(r"\b(client|call|agent)\b", text)):
            exec(code, space)
            for test in [each for key, each in space.items() if key.startswith("test_")]:
                if not inspect.signature(test).parameters:  # else pytest must run it, with its fixtures
                    test()
        else:
            asyncio.run(part(code, space, loops=bool(re.search(r"audio_in\(|async for .* in call\.|wait_ended", text))))


@pytest.mark.parametrize("name", pages())
def test_every_program_runs(name: str, home: Path) -> None:
    run(name, pages()[name], home)


def test_what_is_left_out_here_is_there() -> None:
    for page, place in ELSEWHERE.items():
        assert (ROOT / page).exists()
        assert (ROOT / place).exists()
    found = BLOCK.findall((ROOT / "docs/index.md").read_text(encoding="utf-8"))
    (home,) = (program for _, language, program in found if language == "python")
    assert home in (ROOT / "README.md").read_text(encoding="utf-8")


def commands() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for block in BLOCK.finditer(page.read_text(encoding="utf-8")):
            if block[2] in ("console", "bash", "sh", "yaml"):
                joined = re.sub(r"\\\n\s*", "", dedent(block[3]))
                joined = re.sub(r'"?\$\w+"?', "+15550100", joined)
                for line in re.findall(r"telnyx-rtc (?!listening)[^\n)\"'|&;]*(?:'[^']*'[^\n)|&;]*)*", joined):
                    yield str(page.relative_to(ROOT)), line.split(" #")[0].strip()


def test_every_command_line_can_be_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for file in ("call.journal", "report.json", "telnyx-rtc/staging.env"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch(mode=0o600)
    (tmp_path / "calls").mkdir()
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    for command in group.commands.values():
        monkeypatch.setattr(command, "callback", lambda **options: None)
    wrong = []
    checked = 0
    for page, line in commands():
        checked += 1
        try:
            group.main(shlex.split(line)[1:], prog_name="telnyx-rtc", standalone_mode=False)
        except Exception as error:  # noqa: BLE001  # of the parser, whichever it is
            wrong.append(f"{page}: {line}: {error}")
    assert wrong == []
    assert checked > 15
