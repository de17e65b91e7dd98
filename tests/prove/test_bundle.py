"""What is handed on names nobody, and is still a journal that can be replayed."""

import pytest

from telnyx_core._wire.json_types import Json
from telnyx_drivers._tools.prove import bundle
from telnyx_drivers._tools.prove.bundle import Strangers, where_to_send

FRAME = (
    '{"method":"telnyx_rtc.invite","params":{"login":"alice99","sdp":"c=IN IP4 203.0.113.9\\r\\n",'
    '"note":"+15551230000"}}'
)


def test_the_same_is_always_hidden_by_the_same() -> None:
    strangers = Strangers(["alice99"])
    first, second = strangers.text("+15551230000 calls +15559990000"), strangers.text("+15559990000")
    assert second in first
    assert first.split(" calls ")[1] == second


def test_a_frame_in_a_line_keeps_its_form() -> None:
    """A session replays it to the letter only if it is written as a session writes."""
    hidden = Strangers(["alice99"]).detail(FRAME)
    assert hidden == (
        '{"method":"telnyx_rtc.invite","params":{"login":"user-1","sdp":"c=IN IP4 198.51.100.1\\r\\n",'
        '"note":"+15550100001"}}'
    )


@pytest.mark.parametrize(
    ("known", "text", "hidden"),
    [
        ("+1 (555) 123-0000", "to 15551230000 now", "to user-1 now"),
        ("+15551230000", "sip:+15551230000@sip.example.com", "sip:user-1@sip.example.com"),
        ("12", "12 of 12", "12 of 12"),
        ("alice99", "malice99 alice99", "malice99 user-1"),
    ],
)
def test_what_is_known_is_hidden_wherever_it_stands(known: str, text: str, hidden: str) -> None:
    assert Strangers([known]).text(text) == hidden


@pytest.mark.parametrize(
    "value",
    [
        "sip:bob@sip.example.com",
        "<sips:bob@sip.example.com>;tag=1",
        {"caller_number": "bob"},
        {"caller_id_name": "bob"},
        {"username": "bob"},
        [{"destination_number": "bob"}],
    ],
)
def test_people_are_hidden_by_where_they_stand(value: Json) -> None:
    assert "bob" not in str(Strangers().value(value))


def test_addresses_of_both_kinds_become_examples() -> None:
    hidden = Strangers().text("candidate:1 1 udp 1 10.0.0.7 4000 typ host fd00::2 127.0.0.1 12:34:56")
    assert hidden == "candidate:1 1 udp 1 198.51.100.1 4000 typ host 2001:db8::2 127.0.0.1 12:34:56"


def test_it_says_where_to_send_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "issue of telnyx-rtc" in where_to_send()

    class Metadata:
        def get_all(self, name: str) -> list[str]:
            return ["Homepage, https://example.com", "Issues, https://example.com/issues"]

    def metadata(name: str) -> Metadata:
        return Metadata()

    monkeypatch.setattr(bundle, "metadata", metadata)
    assert where_to_send() == "Attach it to an issue at https://example.com/issues"
