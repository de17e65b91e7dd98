"""Let OpenAI's Realtime API answer the telephone. Ctrl-C or SIGTERM ends it.

    TELNYX_SIP_USERNAME=... TELNYX_SIP_PASSWORD=... OPENAI_API_KEY=... python openai_realtime.py

``OPENAI_REALTIME_URL`` leads to another server of the same protocol. The model speaks 24 kHz, and the call converts.
When the caller interrupts, what they have not heard is dropped here and cut from the model's memory.
"""

import asyncio
import base64
import contextlib
import json
import os
from collections.abc import Awaitable, Callable, Mapping

from first_call import client_from_environment
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from telnyx_drivers.asyncio import CallHandle

URL = os.environ.get("OPENAI_REALTIME_URL", "wss://api.openai.com/v1/realtime?model=gpt-realtime")
RATE = 24_000
PCM = {"type": "audio/pcm", "rate": RATE}
INSTRUCTIONS = "You answer the telephone of Wonderland Travel. Be brief and kind."


async def opening_hours(day: str) -> str:
    return "closed" if day == "sunday" else "from nine to five"


FUNCTIONS: Mapping[str, Callable[..., Awaitable[str]]] = {"opening_hours": opening_hours}
TOOLS = [
    {
        "type": "function",
        "name": "opening_hours",
        "description": "When the office is open.",
        "parameters": {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]},
    }
]


class Conversation:
    """One call and one session of the model."""

    def __init__(self, call: CallHandle, model: ClientConnection) -> None:
        self._call = call
        self._model = model
        self._pieces: list[tuple[str, float, float]] = []
        """Of each piece that was written: whose it is, where it begins in that, and its length, in seconds."""
        self._cut = ""
        """What the caller does not want to hear the rest of."""

    async def run(self) -> None:
        session = {
            "type": "realtime",
            "instructions": INSTRUCTIONS,
            "audio": {
                "input": {"format": PCM, "turn_detection": {"type": "server_vad"}},
                "output": {"format": PCM, "voice": "marin"},
            },
            "tools": TOOLS,
        }
        await self._tell("session.update", session=session)
        await self._tell("response.create")  # the one who is called speaks first
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(self._listen())
            async for text in self._model:
                event = json.loads(text)
                match event["type"]:
                    case "response.output_audio.delta":
                        self._say(event["item_id"], event["delta"])
                    case "input_audio_buffer.speech_started":
                        await self._interrupt()
                    case "response.function_call_arguments.done":
                        group.create_task(self._call_function(event["call_id"], event["name"], event["arguments"]))
                    case "response.output_audio_transcript.done":
                        print(f"model: {event['transcript']}", flush=True)
                    case "error":
                        print(f"error: {event['error']['message']}", flush=True)
                    case _:
                        pass
            listening.cancel()

    async def _tell(self, kind: str, **members: object) -> None:
        with contextlib.suppress(ConnectionClosed):
            await self._model.send(json.dumps({"type": kind, **members}))

    async def _listen(self) -> None:
        async for frame in self._call.audio_in(RATE, frame_ms=40):
            await self._tell("input_audio_buffer.append", audio=frame.to_base64())
        await self._model.close()  # the caller has hung up

    def _say(self, item: str, delta: str) -> None:
        """The model sends faster than it speaks: the call keeps the rest. A piece may end within a sample."""
        if item == self._cut:
            return  # it was on its way when the caller interrupted
        data = base64.b64decode(delta)
        last, start, length = self._pieces[-1] if self._pieces else ("", 0.0, 0.0)
        self._pieces.append((item, start + length if item == last else 0.0, len(data) / (2 * RATE)))
        self._call.audio_out.write_nowait(data, RATE, mark=len(self._pieces) - 1)

    async def _interrupt(self) -> None:
        cleared = self._call.audio_out.clear()
        heard = cleared.heard
        if not cleared or not isinstance(heard.mark, int):
            return
        item, start, length = self._pieces[heard.mark]
        self._cut = self._pieces[-1][0]
        end = start + heard.part * length
        print(f"interrupted after {end:.1f} s", flush=True)
        await self._tell("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=int(1000 * end))

    async def _call_function(self, call_id: str, name: str, arguments: str) -> None:
        try:
            output = await FUNCTIONS[name](**json.loads(arguments))
        except (LookupError, TypeError, ValueError) as error:  # the model is told, and can say so
            output = json.dumps({"error": f"{type(error).__name__}: {error}"})
        item = {"type": "function_call_output", "call_id": call_id, "output": output}
        await self._tell("conversation.item.create", item=item)
        await self._tell("response.create")


async def converse(call: CallHandle) -> None:
    print(f"{call.info.remote_caller_number} calls", flush=True)
    key = os.environ["OPENAI_API_KEY"]
    async with connect(URL, additional_headers={"Authorization": f"Bearer {key}"}, max_size=1 << 24) as model:
        await call.answer()
        await call.wait_for_state("active", timeout=20)
        await Conversation(call, model).run()
    print(f"{call.info.remote_caller_number} has hung up", flush=True)


async def main() -> None:
    async with client_from_environment() as client:
        await client.serve(converse)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
