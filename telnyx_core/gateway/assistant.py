"""The assistant's side of ``ai_conversation`` (signaling.md 3.17, calls.md 13)."""

import json
from typing import Final

from telnyx_core._wire.codec import Request, mapping, string
from telnyx_core._wire.json_types import JsonObject
from telnyx_core.gateway.client_sockets import Lines
from telnyx_core.gateway.context import Context
from telnyx_core.gateway.events import ConversationReceived
from telnyx_core.gateway.legs import Leg
from telnyx_core.gateway.options import Assistant
from telnyx_core.gateway.records import ClientSocket
from telnyx_core.gateway.sessions import sessid

MAX_DELTAS: Final = 64
"""A reply is sent in at most so many pieces, however long it is."""


class Assistants:
    def __init__(self, context: Context, lines: Lines) -> None:
        self._context = context
        self._lines = lines

    def answered(self, leg: Leg) -> None:
        """The assistant picks up."""
        line, assistant = leg.session.line, leg.assistant
        if line is None or assistant is None:
            return
        if assistant.widget_settings is not None:
            settings: JsonObject = dict(assistant.widget_settings)
            self._lines.converse(line, {"type": "widget_settings", "widget_settings": settings})
        if assistant.greeting:
            self._speak(line, assistant.greeting)

    def heard(self, line: ClientSocket, request: Request, assistant: Assistant | None) -> None:
        """Text of the user, or what a function returned; ``assistant`` is the one in the call, if any is."""
        self._context.notify(ConversationReceived(line.socket, request.params))
        self._lines.reply(line, request, {"message": "SENT", **sessid(line)})
        item = mapping(request.params, "item")
        if assistant is None or request.params.get("type") != "conversation.item.create":
            return
        match item.get("type"):
            case "message":
                self._message(line, assistant, item)
            case "function_call_output":
                self._speak(line, string(item, "output") or "")
            case _:
                pass

    def _message(self, line: ClientSocket, assistant: Assistant, item: JsonObject) -> None:
        text = _text(item)
        created: JsonObject = {
            "id": string(item, "id") or self._context.uuid(),
            "type": "message",
            "role": "user",
            "status": "completed",
            "content": [{"type": "text", "text": text}],
        }
        self._lines.converse(line, {"type": "conversation.item.created", "item": created})
        heard = text.lower()
        for words, (name, arguments) in assistant.tools.items():
            if words.lower() in heard:
                self._call_function(line, name, dict(arguments))
                return
        for words, reply in assistant.replies.items():
            if words.lower() in heard:
                self._speak(line, reply)
                return
        self._speak(line, text)

    def _call_function(self, line: ClientSocket, name: str, arguments: JsonObject) -> None:
        item: JsonObject = {
            "id": self._context.uuid(),
            "type": "function_call",
            "call_id": self._context.uuid(),
            "name": name,
            "arguments": json.dumps(arguments),
            "status": "completed",
        }
        self._lines.converse(line, {"type": "conversation.item.created", "item": item})

    def _speak(self, line: ClientSocket, text: str) -> None:
        """Send the text word by word, as an assistant speaks it, then as a whole (SIG-184)."""
        item = self._context.uuid()
        for delta in _pieces(text):
            self._lines.converse(
                line,
                {
                    "type": "response.text.delta",
                    "delta": delta,
                    "item_id": item,
                    "response_id": item,
                    "output_index": 0,
                    "content_index": 0,
                },
            )
        spoken: JsonObject = {
            "id": item,
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "text", "text": text}],
        }
        self._lines.converse(line, {"type": "conversation.item.created", "item": spoken})


def _text(item: JsonObject) -> str:
    """The text of a message: a string, or parts of which some have text (AI-013)."""
    content = item.get("content")
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = [string(part, "text") or string(part, "transcript") for part in content if isinstance(part, dict)]
    return " ".join(part for part in parts if part)


def _pieces(text: str) -> list[str]:
    words = text.split(" ")
    each = -(-len(words) // MAX_DELTAS)
    groups = [" ".join(words[start : start + each]) for start in range(0, len(words), each)]
    return [group if number == 0 else f" {group}" for number, group in enumerate(groups)]
