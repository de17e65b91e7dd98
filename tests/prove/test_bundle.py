"""What is handed on names nobody, and is still a journal that can be replayed."""

import zipfile
from pathlib import Path

import pytest

from telnyx_core._wire.json_types import Json
from telnyx_core.options import ClientOptions
from telnyx_drivers._tools.prove import bundle
from telnyx_drivers._tools.prove.bundle import Proof, Strangers, where_to_send, write_bundle
from telnyx_drivers._tools.prove.evidence import Evidence
from telnyx_drivers._tools.prove.plan import Plan

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
    assert "Attach it to an issue" in where_to_send()

    class Metadata:
        def get_all(self, name: str) -> list[str]:
            return ["Homepage, https://example.com", "Issues, https://example.com/issues"]

    def metadata(name: str) -> Metadata:
        return Metadata()

    monkeypatch.setattr(bundle, "metadata", metadata)
    assert where_to_send() == "Attach it to an issue at https://example.com/issues"


def test_why_a_step_failed_is_told_without_secrets_or_people(tmp_path: Path) -> None:
    """The page for people had it as it was raised."""
    failure = "refused by 10.1.2.3: password=pl4nt3d of sip:bob9@sip.example.com, +15551230000"
    plan = Plan(options=ClientOptions(login="bob9", password="pl4nt3d"), destination="+15559990000")
    proof = Proof(plan=plan, evidence=(Evidence(step="talk", failure=failure),), findings=(), complete=True)
    write_bundle(tmp_path / "it.zip", proof)
    with zipfile.ZipFile(tmp_path / "it.zip") as file:
        texts = {name: file.read(name).decode() for name in file.namelist()}
    assert "Step talk did not come to its end: refused by 198.51.100.1" in texts["README.txt"]
    for name, text in texts.items():
        for planted in ("pl4nt3d", "bob9", "10.1.2.3", "5551230000"):
            assert planted not in text, name
