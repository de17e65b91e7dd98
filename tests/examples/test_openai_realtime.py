"""`examples/openai_realtime.py` with a server that speaks the protocol: voice, interruption, a function, odd pieces."""

import asyncio
import base64
import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from telnyx_core.gateway.events import CallEnded, StateTold
from telnyx_drivers._webrtc.measure import dominant_frequency
from telnyx_drivers.gateway import Gateway
from tests.audio.helpers import sine
from tests.examples.test_asyncio import USERS
from tests.programs import LIMIT, ROOT, end_of, running

pytestmark = [pytest.mark.net, pytest.mark.media, pytest.mark.slow]

RATE = 24_000
ODD = 1_001
"""Bytes: a piece of the model's audio ends within a sample."""


class Model:
    """Speaks eight seconds of 500 Hz when asked, at once; takes 800 Hz for speech, and then calls a function."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.authorization = ""
        self.wrong: list[str] = []
        self.answered = asyncio.Event()
        self._heard = b""
        self._interrupted = False

    async def talk(self, line: ServerConnection) -> None:
        assert line.request is not None
        self.authorization = line.request.headers["Authorization"]
        await self._say(line, "session.created")
        try:
            async for text in line:
                await self._take(line, json.loads(text))
        except ConnectionClosed:
            pass

    async def _take(self, line: ServerConnection, event: dict[str, Any]) -> None:
        match event["type"]:
            case "input_audio_buffer.append":
                await self._hear(line, base64.b64decode(event["audio"], validate=True))
                return
            case "response.create" if self._interrupted:
                await self._say(line, "response.output_audio_transcript.done", transcript="We are open.")
                self.answered.set()
            case "response.create":
                await self._speak(line, "item-1", sine(500, RATE, 8.0).tobytes())
            case "session.update" | "conversation.item.truncate" | "conversation.item.create":
                pass
            case kind:
                self.wrong.append(kind)
        self.told.append(event)

    async def _speak(self, line: ServerConnection, item: str, sound: bytes) -> None:
        for start in range(0, len(sound), ODD):
            delta = base64.b64encode(sound[start : start + ODD]).decode()
            await self._say(line, "response.output_audio.delta", item_id=item, content_index=0, delta=delta)

    async def _hear(self, line: ServerConnection, pcm: bytes) -> None:
        self._heard = (self._heard + pcm)[-RATE // 2 :]  # the last quarter of a second
        samples = np.frombuffer(self._heard, "<i2")
        loud = samples.size == RATE // 4 and int(np.abs(samples.astype(int)).max()) > 1_000
        if loud and not self._interrupted and abs(dominant_frequency(samples, RATE) - 800) < 8:
            self._interrupted = True
            await self._say(line, "input_audio_buffer.speech_started", audio_start_ms=0, item_id="user-1")
            await self._speak(line, "item-1", sine(500, RATE, 0.5).tobytes())  # what was on its way
            arguments = json.dumps({"day": "monday"})
            await self._say(
                line, "response.function_call_arguments.done", call_id="f1", name="opening_hours", arguments=arguments
            )

    async def _say(self, line: ServerConnection, kind: str, **members: Any) -> None:
        await line.send(json.dumps({"type": kind, "event_id": "e", **members}))

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.told if event["type"] == kind]


async def hears(gateway: Gateway, call: Any, frequency: float | None) -> None:
    """Until the caller hears a tone for a quarter of a second, or nothing at all."""
    window: list[Any] = []
    async with asyncio.timeout(LIMIT):
        async for frame in gateway.audio(call).audio_in(8_000):
            window = [*window[-11:], frame.to_numpy()]
            samples = np.concatenate(window)
            peak = int(np.abs(samples.astype(int)).max())
            if len(window) < 12:
                continue
            if frequency is None and peak < 50:
                return
            if frequency is not None and peak > 500 and abs(dominant_frequency(samples, 8_000) - frequency) < 8:
                return


def test_the_model_speaks_is_interrupted_and_calls_a_function(tmp_path: Path) -> None:
    model = Model()

    async def story() -> str:
        async with Gateway(users=dict(USERS)) as gateway, serve(model.talk, "127.0.0.1", 0) as server:
            url = f"ws://127.0.0.1:{port_of(server)}/v1/realtime?model=test"
            program = str(ROOT / "examples" / "openai_realtime.py")
            environment = {"OPENAI_API_KEY": "sk-test", "OPENAI_REALTIME_URL": url}
            async with running(
                program, user="bob", password=USERS["bob"], url=gateway.url, cwd=tmp_path, **environment
            ) as process:
                await gateway.wait_for(StateTold)
                call = gateway.call_user("bob", from_number="+15550001", behaviour="silence")
                await hears(gateway, call, 500)
                gateway.audio(call).audio_out.write_nowait(sine(800, 8_000, 1.0), 8_000)
                await hears(gateway, call, None)
                async with asyncio.timeout(LIMIT):
                    await model.answered.wait()
                gateway.hangup(call)
                await gateway.wait_for(CallEnded)
                assert process.stdout is not None
                lines = b""
                async with asyncio.timeout(LIMIT):
                    while b"has hung up" not in lines:
                        lines += await process.stdout.readline()
                process.send_signal(signal.SIGINT)
                ended = await end_of(process)
                assert ended.status == 0, ended.err
                return lines.decode()

    printed = asyncio.run(story())
    assert model.wrong == []
    assert model.authorization == "Bearer sk-test"
    session = model.of("session.update")[0]["session"]
    assert (
        session["audio"]["input"]["format"]
        == session["audio"]["output"]["format"]
        == {
            "type": "audio/pcm",
            "rate": RATE,
        }
    )
    (cut,) = model.of("conversation.item.truncate")
    assert (cut["item_id"], cut["content_index"]) == ("item-1", 0)
    assert 0 < cut["audio_end_ms"] < 7_000, "what had been heard of eight seconds"
    output = model.of("conversation.item.create")[0]["item"]
    assert output == {"type": "function_call_output", "call_id": "f1", "output": "from nine to five"}
    assert "interrupted after" in printed


def port_of(server: Server) -> int:
    port: int = next(iter(server.sockets)).getsockname()[1]
    return port
