"""The assistant's side of ``ai_conversation`` (signaling.md 3.17, calls.md 13)."""

import json
from collections import deque
from typing import Final

from telnyx_core._time.timers import Timer
from telnyx_core._wire.codec import Request, mapping, string
from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core.gateway.client_sockets import Lines
from telnyx_core.gateway.context import Context
from telnyx_core.gateway.events import ConversationReceived
from telnyx_core.gateway.legs import Leg, Speech
from telnyx_core.gateway.options import Assistant, Calls, Hears, Says
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
        assistant = leg.assistant
        if assistant is None:
            return
        if assistant.widget_settings is not None:
            settings: JsonObject = dict(assistant.widget_settings)
            self._send(leg, {"type": "widget_settings", "widget_settings": settings})
        if assistant.greeting:
            self._speak(leg, assistant.greeting)
        leg.script = deque(assistant.script)
        self._await_step(leg)

    def heard(self, line: ClientSocket, request: Request, leg: Leg | None) -> None:
        """Text of the user, or what a function returned; ``leg`` is the call to an assistant, if there is any."""
        self._context.notify(ConversationReceived(line.socket, request.params))
        self._lines.reply(line, request, {"message": "SENT", **sessid(line)})
        item = mapping(request.params, "item")
        if leg is None or leg.assistant is None or request.params.get("type") != "conversation.item.create":
            return
        match item.get("type"):
            case "message":
                self._message(leg, leg.assistant, item)
            case "function_call_output":
                self._speak(leg, string(item, "output") or "")
            case _:
                pass

    def step_due(self, leg: Leg) -> None:
        """The next step of the script."""
        match leg.script.popleft():
            case Says(text):
                self._speak(leg, text)
            case Hears(text):
                self._user_said(leg, self._context.uuid(), [{"type": "input_audio", "transcript": text}])
            case Calls(name, arguments):
                self._call_function(leg, name, dict(arguments))
        self._await_step(leg)

    def word_due(self, leg: Leg) -> None:
        """The next word of what the assistant is saying; after the last one it is told as a whole."""
        speech, assistant = leg.speech, leg.assistant
        assert speech is not None, "the timer ends with what is said"
        assert assistant is not None, "somebody says it"
        if speech.rest:
            self._say_piece(leg, speech)
            self._context.timers.set(Timer.DIGITS, self._context.now + assistant.pace, leg)
        else:
            self._say_whole(leg, speech)

    def _await_step(self, leg: Leg) -> None:
        if leg.script:
            # As with the gateway states that are pushed by a plan.
            self._context.timers.set(Timer.REG_POLL, self._context.now + leg.script[0].after, leg)

    def _message(self, leg: Leg, assistant: Assistant, item: JsonObject) -> None:
        text = _text(item)
        self._user_said(leg, string(item, "id") or self._context.uuid(), [{"type": "text", "text": text}])
        heard = text.lower()
        for words, (name, arguments) in assistant.tools.items():
            if words.lower() in heard:
                self._call_function(leg, name, dict(arguments))
                return
        for words, reply in assistant.replies.items():
            if words.lower() in heard:
                self._speak(leg, reply)
                return
        self._speak(leg, text)

    def _user_said(self, leg: Leg, item: str, content: list[Json]) -> None:
        self._interrupt(leg)
        created: JsonObject = {
            "id": item,
            "type": "message",
            "role": "user",
            "status": "completed",
            "content": content,
        }
        self._send(leg, {"type": "conversation.item.created", "item": created})

    def _call_function(self, leg: Leg, name: str, arguments: JsonObject) -> None:
        item: JsonObject = {
            "id": self._context.uuid(),
            "type": "function_call",
            "call_id": self._context.uuid(),
            "name": name,
            "arguments": json.dumps(arguments),
            "status": "completed",
        }
        self._send(leg, {"type": "conversation.item.created", "item": item})

    def _speak(self, leg: Leg, text: str) -> None:
        """Send the text word by word, as an assistant speaks it: at its pace, or all of it at once."""
        self._interrupt(leg)
        leg.speech = speech = Speech(self._context.uuid(), text, deque(_pieces(text)))
        if leg.assistant is not None and leg.assistant.pace:
            self.word_due(leg)
            return
        while speech.rest:
            self._say_piece(leg, speech)
        self._say_whole(leg, speech)

    def _interrupt(self, leg: Leg) -> None:
        """The user speaks: what the assistant has not said by now it does not say."""
        if leg.speech is not None:
            self._context.timers.stop(Timer.DIGITS, leg)
            response: JsonObject = {"id": leg.speech.item, "status": "cancelled"}
            self._send(leg, {"type": "response.done", "response": response})
            leg.speech = None

    def _say_piece(self, leg: Leg, speech: Speech) -> None:
        self._send(
            leg,
            {
                "type": "response.text.delta",
                "delta": speech.rest.popleft(),
                "item_id": speech.item,
                "response_id": speech.item,
                "output_index": 0,
                "content_index": 0,
            },
        )

    def _say_whole(self, leg: Leg, speech: Speech) -> None:
        leg.speech = None
        spoken: JsonObject = {
            "id": speech.item,
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "text", "text": speech.text}],
        }
        self._send(leg, {"type": "conversation.item.created", "item": spoken})

    def _send(self, leg: Leg, params: JsonObject) -> None:
        if leg.session.line is not None:
            self._lines.converse(leg.session.line, params)


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
