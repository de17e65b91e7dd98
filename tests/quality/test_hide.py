"""A page that may be shown to strangers: no numbers, names or addresses (`telnyx_drivers._tools.report.hide`)."""

import json

import pytest

from telnyx_drivers._tools.report.call_timeline import CallTimeline, End, Fact, Message, Path, Story
from telnyx_drivers._tools.report.hide import Pseudonyms, anonymize

SDP = (
    "v=0\r\no=- 1 1 IN IP4 203.0.113.9\r\nc=IN IP4 203.0.113.9\r\na=fingerprint:sha-256 AA:BB:CC:DD:EE:FF\r\n"
    "a=candidate:1 1 udp 2130706431 2001:db8::7 40000 typ host\r\n"
)
FRAME = {
    "method": "telnyx_rtc.invite",
    "params": {
        "sdp": SDP,
        "dialogParams": {"callID": "c-1", "caller_id_number": "5551234", "caller_id_name": "Ann Onymous"},
    },
}


def story() -> Story:
    here, there = End("203.0.113.9", 1, "host", "udp"), End("2001:db8::7", 2, "relay", "udp")
    call = CallTimeline(
        id="c-1",
        local_number="5551234",
        remote_number="+15557654321",
        facts=(Fact("Server", "rtc at 198.51.100.1, since 10:15:30"), Fact("Leg", "a2dd00bd-2b34")),
        paths=(Path(0.0, here, there), Path(1.0, there, here)),
        candidates=("candidate:1 1 udp 2130706431 203.0.113.9 40000 typ host",),
    )
    rows = (
        Message(0.0, "server", "invite", True, detail=json.dumps(FRAME)),
        Message(0.0, "self", "calling +15557654321 over 127.0.0.1", True),
    )
    return Story(source="journal", made_by="", calls=(call,), messages=rows)


def test_nobody_is_named() -> None:
    hidden = anonymize(story())
    [call] = hidden.calls
    shown = [call.local_number, call.remote_number, *call.candidates, *[fact.value for fact in call.facts]]
    shown += [end.address for path in call.paths for end in (path.local, path.remote)]
    shown += [text for row in hidden.messages for text in (row.label, row.detail)]
    for person in ("5551234", "15557654321", "Onymous", "203.0.113.9", "2001:db8::7", "198.51.100.1"):
        assert not [text for text in shown if person in text], person
    assert "over 127.0.0.1" in hidden.messages[1].label, "this says nothing about anybody"


def test_the_same_is_always_replaced_by_the_same() -> None:
    hidden = anonymize(story())
    [call] = hidden.calls
    frame = json.loads(hidden.messages[0].detail)
    assert frame["params"]["dialogParams"]["caller_id_number"] == call.local_number == "number 1"
    assert call.paths[0].local.address == call.paths[1].remote.address
    assert call.paths[0].local.address in frame["params"]["sdp"]
    assert call.paths[0].local.address != call.paths[0].remote.address


def test_what_is_no_address_stays() -> None:
    """Times of day, fingerprints, versions, ids, priorities."""
    [call] = anonymize(story()).calls
    assert "10:15:30" in call.facts[0].value
    assert call.facts[1].value == "a2dd00bd-2b34"
    frame = json.loads(anonymize(story()).messages[0].detail)
    assert "AA:BB:CC:DD:EE:FF" in frame["params"]["sdp"]
    assert "2130706431" in frame["params"]["sdp"]
    assert frame["method"] == "telnyx_rtc.invite"


@pytest.mark.parametrize("text", ["", "1.2.3", "300.1.1.1", "0:01.345", "::1", "0.0.0.0", "v1.2.3.4.5"])
def test_texts_that_stay_as_they_are(text: str) -> None:
    assert Pseudonyms().text(text) == text


@pytest.mark.parametrize("text", ["10.1.2.3", "[fe80::1]:80", "via 10.1.2.3:5060;x", "+4930123456"])
def test_texts_that_do_not(text: str) -> None:
    assert Pseudonyms().text(text) != text


PEOPLE = ("15557654321", "Jane Roe", "jane.roe", "Jim", "4111111111111111", "555-765-4321", "alice77", "secret words")


def test_people_are_hidden_in_every_spelling_and_wherever_they_stand() -> None:
    """Numbers, SIP and telephone addresses, names in headers, e-mail, the login, bodies of messages, dialled digits."""
    said = [
        {"method": "telnyx_rtc.info", "params": {"note": "later call Jane Roe at 15557654321 or +1 (555) 765-4321"}},
        {"params": {"custom_headers": [{"name": "From", "value": '"Jane Roe" <sip:15557654321@10.1.2.3;user=phone>'}]}},
        {"params": {"custom_headers": [{"name": "X", "value": "Jim <sip:jane.roe@example.com>, tel:+1-555-765-4321"}]}},
        {"params": {"x": "mail jane.roe@example.com", "login": "alice77", "caller_id_name": "Jane Roe"}},
        {
            "params": {
                "dtmf": "4111111111111111",
                "msg": {"from": "jane.roe", "to": "15557654321", "body": "secret words"},
            }
        },
        {"params": {"card": "4111 1111 1111 1111", "at": "2026-11-30 10:00:00", "callID": "12345678901"}},
    ]
    rows = tuple(Message(0.0, "server", "info", False, detail=json.dumps(frame)) for frame in said)
    hidden = anonymize(Story(source="journal", made_by="", calls=(), messages=rows, remarks=("Jane Roe left",)))
    text = "\n".join((*(row.detail for row in hidden.messages), *hidden.remarks))
    assert [person for person in PEOPLE if person in text] == []
    assert "765-4321" not in text
    assert "2026-11-30 10:00:00" in text
    assert "12345678901" in text, "an id of a call names nobody"


def test_one_number_has_one_stand_in_however_it_is_spelled() -> None:
    stand = Pseudonyms()
    spellings = ("+15557654321", "1 (555) 765-4321", "1.555.765.4321", "15557654321")
    assert {stand.text(f"call {spelling} now") for spelling in spellings} == {"call number 1 now"}
