"""The transcript of a conversation with an AI assistant (calls.md 13.4), and what is sent to it."""

from itertools import count

import pytest

from telnyx_core._assistant import Conversation
from telnyx_core._time.limits import MAX_IMAGES, MAX_SAID_CHARS, MAX_SENT_BYTES, MAX_TRANSCRIPT_CHARS, MAX_UTTERANCES
from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core.actions import Failed
from telnyx_core.events import TranscriptItem, TranscriptUpdated
from telnyx_core.testing.rig import Rig

_ids = count()


def say(rig: Rig, params: JsonObject) -> list[TranscriptUpdated]:
    """What the application hears of one message."""
    before = len(rig.heard_of(TranscriptUpdated))
    rig.say({"id": f"push-{next(_ids)}", "jsonrpc": "2.0", "method": "ai_conversation", "params": params})
    return rig.heard_of(TranscriptUpdated)[before:]


def delta(item: str, text: str, response: str = "r1") -> JsonObject:
    return {"type": "response.text.delta", "delta": text, "item_id": item, "response_id": response}


def message(item: str, content: Json, role: str = "assistant", status: str = "completed") -> JsonObject:
    said: JsonObject = {"id": item, "type": "message", "role": role, "status": status, "content": content}
    return {"type": "conversation.item.created", "item": said}


def brief(*items: TranscriptItem) -> list[tuple[str, str, str, bool]]:
    return [(item.id, item.role, item.content, item.partial) for item in items]


def test_deltas_are_put_together_and_replaced_by_the_whole() -> None:
    """AI-031, AI-032, AI-034."""
    rig = Rig.registered()
    call = rig.outbound("active")
    (first,) = say(rig, delta("a", "Good "))
    rig.advance(2.0)
    (second,) = say(rig, delta("a", "day."))
    assert first.call == call
    assert brief(first.item, second.item) == [("a", "assistant", "Good ", True), ("a", "assistant", "Good day.", True)]
    (whole,) = say(rig, message("a", [{"type": "text", "text": "Good day!"}]))
    assert brief(whole.item) == [("a", "assistant", "Good day!", False)]
    assert whole.item.timestamp == first.item.timestamp
    assert whole.transcript == rig.session.transcript == (whole.item,)
    assert say(rig, message("a", [{"type": "text", "text": "Good day!"}])) == []


def test_each_speaker_has_items_of_its_own() -> None:
    """AI-013, AI-030: text or transcript parts, images, a plain string."""
    rig = Rig.registered()
    rig.outbound("active")
    say(rig, message("u1", [{"type": "input_audio", "transcript": "Look "}, {"text": "here"}], "user", "in_progress"))
    picture: Json = {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}
    say(rig, message("u1", [{"type": "input_text", "text": "Look there"}, picture], "user"))
    say(rig, message("a1", "I see."))
    assert brief(*rig.session.transcript) == [("u1", "user", "Look there", False), ("a1", "assistant", "I see.", False)]
    assert rig.session.transcript[0].images == ("https://x.test/a.png",)


@pytest.mark.parametrize(
    "params",
    [
        {"type": "response.done", "response": {"id": "r1", "status": "cancelled"}},
        {"type": "response.text.done", "item_id": "a", "response_id": "other"},
        {"type": "response.output_item.done", "item": {"id": "a"}},
        message("b", "Another thing."),
        message("u", "Stop!", "user"),
        message("a", ""),
        {"type": "conversation.item.created", "item": {"id": "f", "type": "function_call", "call_id": "c"}},
    ],
    ids=["response", "text", "item", "next", "interrupted", "empty", "function"],
)
def test_what_was_begun_is_complete_when_something_says_so(params: JsonObject) -> None:
    """AI-033."""
    rig = Rig.registered()
    rig.outbound("active")
    say(rig, delta("a", "As I was s"))
    assert brief(say(rig, params)[0].item) == [("a", "assistant", "As I was s", False)]


def test_what_was_begun_is_complete_when_the_call_ends() -> None:
    """AI-033. The event comes while the call can still hear it."""
    rig = Rig.registered()
    call = rig.outbound("active")
    say(rig, delta("a", "As I was s"))
    before = len(rig.heard_of(TranscriptUpdated))
    rig.hangup(call)
    (told,) = rig.heard_of(TranscriptUpdated)[before:]
    assert (told.call, told.item.partial) == (call, False)
    rig.reply("bye")
    assert len(rig.session.transcript) == 1, "it can be read after the call"


@pytest.mark.parametrize("joined", [False, True])
def test_the_next_call_begins_anew_unless_a_conversation_was_joined(joined: bool) -> None:
    """AI-003, AI-034."""
    params = {"conversation_id": "c-7"} if joined else {}
    target = {"target_type": "ai_assistant", "target_id": "a", "target_params": params}
    rig = Rig.registered(anonymous_login=target)
    assert rig.session.conversation_id == ("c-7" if joined else None)
    call = rig.outbound("active")
    say(rig, message("a", "Hello."))
    rig.hangup(call)
    rig.reply("bye")
    rig.outbound("new")
    assert len(rig.session.transcript) == int(joined)


def test_a_second_call_beside_it_changes_nothing() -> None:
    rig = Rig.registered()
    rig.outbound("active")
    say(rig, message("a", "Hello."))
    rig.ring("b2")
    assert len(rig.session.transcript) == 1


def test_what_says_nothing_is_passed_over() -> None:
    """AI-035, and whatever else a server may send."""
    rig = Rig.registered()
    rig.outbound("active")
    content: list[Json] = [7, {"text": 7}, {"image_url": "no object"}, None]
    for params in (
        message("a", content), message("a", 7), message("a", "text", "system"), message("", "text"),
        message("n" * 300, "text"), delta("", "x"), delta("a", ""), {"type": "response.text.delta", "delta": 7},
        {"type": 7}, {}, {"type": "conversation.item.created", "item": "no object"}, {"type": "response.done"},
    ):  # fmt: skip
        assert say(rig, params) == []
    assert rig.session.transcript == ()


def test_widget_settings_are_kept_as_they_come() -> None:
    """AI-011, AI-015."""
    rig = Rig.registered()
    assert rig.session.widget_settings is None
    say(rig, {"type": "widget_settings", "widget_settings": {"theme": "dark", "language": "de"}})
    assert rig.session.widget_settings == {"theme": "dark", "language": "de"}
    say(rig, {"type": "anything", "widget_settings": {"theme": "light"}})
    say(rig, {"type": "anything", "widget_settings": "nonsense"})
    assert rig.session.widget_settings == {"theme": "light"}


def test_a_transcript_has_a_bound() -> None:
    conversation = Conversation()
    for number in range(MAX_UTTERANCES + 10):
        conversation.heard(delta(f"i{number}", "x"), 0.0)
    assert len(conversation.transcript) == MAX_UTTERANCES
    assert conversation.transcript[0].id == "i10"
    for _ in range(3):
        conversation.heard(delta("long", "y" * MAX_SAID_CHARS), 0.0)
    assert len(conversation.transcript[-1].content) == MAX_SAID_CHARS
    urls: list[Json] = [{"image_url": {"url": "z" * 100_000}}] * (MAX_IMAGES + 1)
    for number in range(10):
        conversation.heard(message(f"p{number}", urls, "user"), 0.0)
    assert sum(len(url) for item in conversation.transcript for url in item.images) <= MAX_TRANSCRIPT_CHARS
    assert {len(item.images) for item in conversation.transcript} == {MAX_IMAGES}
    assert len(conversation.end()) == 0, "what was left out is forgotten"


def test_what_is_too_long_for_a_frame_is_refused_before_it_costs_the_socket() -> None:
    """PS-029: a function's output was sent whatever its length, and the server dropped the socket."""
    rig = Rig.registered()
    call = rig.outbound("active")
    item: JsonObject = {"type": "function_call_output", "call_id": "c", "output": "x" * MAX_SENT_BYTES}
    before = len(rig.sent)
    with pytest.raises(ValueError, match="the server drops the socket at more than 1,000,000"):
        rig.send_ai_item(item)
    ticket = rig.send_conversation_message(call, "Look", ("data:image/png;base64," + "A" * MAX_SENT_BYTES,))
    assert isinstance(rig.outcomes[ticket], Failed)
    assert len(rig.sent) == before
    rig.send_ai_item({**item, "output": "x" * (MAX_SENT_BYTES - 200)})
    assert len(rig.sent) == before + 1
