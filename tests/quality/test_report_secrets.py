"""What a call's report must never say: it leaves the machine (LOG-013, STATS-231 to STATS-236, STATS-517)."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_core._reports.client_summary import client_summary, sanitised
from telnyx_core._reports.log_book import MAX_ENTRIES, MAX_FRAME, MAX_TEXT, LogBook
from telnyx_core._wire.json_types import Json
from telnyx_core.options import CallOptions, ClientOptions
from telnyx_core.testing.rig import LOCAL_SDP, REMOTE_SDP
from tests.quality.test_call_report import active, hang_up, reporting, uploads

PLANTED = "pl4nt3d-S3cret"


def everything(upload: Any) -> str:
    return b"".join(upload.segment.bodies(0, list(upload.segment.lines()))).decode()


def test_no_credential_is_in_the_logs_of_a_call() -> None:
    """STATS-517: also that of a login made during the call, and the passwords in the descriptions."""
    rig = reporting(login="bob", password=PLANTED)
    call = rig.dial(
        iceServers=[{"urls": "turn:t.example.org", "username": f"u-{PLANTED}", "credential": PLANTED}],
        audio={"deviceId": "x", "apiKey": PLANTED, "deep": {"a": {"b": {"c": {"token": PLANTED}}}}},
    )
    rig.media_ok(call)
    rig.describe(LOCAL_SDP.replace("herehereherehereherehere", PLANTED), call)
    rig.reply("invite", {"callID": call}, call=call)
    rig.request("answer", callID=call, sdp=REMOTE_SDP.replace("therethertherethertherether", PLANTED))
    rig.remote_applied(call)
    rig.peer("connected", call)
    rig.login({"login": "bob", "password": f"new-{PLANTED}"})
    rig.login_ok(session_id=f"sess-{PLANTED}", voice_sdk_id=f"VSDK-{PLANTED}")
    rig.login({"login_token": f"eyJhbGciOiJIUzI1NiJ9.{PLANTED}.x"})
    rig.login_ok()
    hang_up(rig, call)
    text = everything(uploads(rig)[-1])
    assert PLANTED not in text
    assert "login" in text, "the frames themselves are told"
    assert '"hasCredential":true' in text


def test_the_headers_name_the_session_and_the_body_does_not() -> None:
    rig, call = active()
    hang_up(rig, call)
    [upload] = uploads(rig)
    assert upload.segment.home.voice_sdk_id == "VSDK-1"
    assert "VSDK-1" not in everything(upload)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"login": "bob", "password": PLANTED}, {"type": "login_password"}),
        ({"login_token": f"a.{PLANTED}.c"}, {"type": "login_token"}),
        (
            {"anonymous_login": {"target_id": "a-1", "target_params": {"conversation_id": "c-1", "Auth": PLANTED}}},
            {
                "type": "anonymous_login",
                "anonymousLogin": {
                    "targetType": "ai_assistant",
                    "targetId": "a-1",
                    "targetParams": {"conversation_id": "c-1"},
                },
            },
        ),
    ],
)
def test_how_the_client_logged_in_is_told_and_with_what_is_not(options: dict[str, Any], expected: object) -> None:
    """STATS-231."""
    client = ClientOptions.from_mapping(options)
    summary = client_summary(client, CallOptions(), "rtc.telnyx.com", "us-east", "ny3")
    assert summary["authentication"] == expected
    assert PLANTED not in json.dumps(summary)


def test_the_settings_of_the_client_are_told() -> None:
    """STATS-232 to STATS-234: a call's own settings win."""
    client = ClientOptions(login="a", password="b", trickle_ice=True, call_report_interval=3.0, env="ws://h:1/?token=x")
    summary: Any = client_summary(client, CallOptions(trickle_ice=False), "h", None, None)
    assert summary["media"]["trickleIce"] is False
    assert summary["callReports"] == {
        "enabled": True,
        "intervalMs": 3000,
        "flushIntervalMs": 180_000,
        "debugLogLevel": "debug",
        "debugLogMaxEntries": 1000,
    }
    assert summary["connection"]["maxReconnectAttempts"] == 10
    assert "env" not in summary["connection"], "an address may hold anything"
    assert "region" not in summary["connection"]


secret_names = st.sampled_from(
    ["password", "Passwd", "CREDENTIAL", "clientSecret", "access_token", "Authorization", "x-auth", "api_key", "apikey"]
)
harmless = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.just("word"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(secret_names | st.just("ok"), inner, max_size=4),
    max_leaves=20,
)


@given(harmless)
def test_whatever_an_application_passes_is_made_harmless(value: Json) -> None:
    """STATS-235: JSON of bounded depth, and no member whose name says secret."""
    clean = sanitised({"given": value})
    text = json.dumps(clean, allow_nan=False)
    for name in ("assw", "credential", "ecret", "token", "uth", "api"):
        assert f"{name}" not in text.lower().replace("[truncated]", "")
    assert _depth(clean) <= 4


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


# The book itself.


def test_the_oldest_entries_go() -> None:
    """LOG-010."""
    book = LogBook()
    for number in range(MAX_ENTRIES + 5):
        book.note(float(number), "info", str(number))
    entries = book.drain()
    assert (len(entries), entries[0].message) == (MAX_ENTRIES, "5")
    assert len(book) == 0


def test_long_texts_are_cut_and_huge_frames_are_named() -> None:
    """LOG-014."""
    book = LogBook()
    book.frame(0.0, "SEND", {"method": "m", "sdp": "v" * 5_000}, 5_100)
    book.frame(0.0, "RECV", {"method": "huge", "blob": "v" * 50_000}, MAX_FRAME + 1)
    long, huge = (entry.record()["context"] for entry in book.drain())
    assert isinstance(long, dict)
    assert len(str(long["sdp"])) == MAX_TEXT + 1
    assert huge == {"method": "huge", "characters": MAX_FRAME + 1}


def test_an_entry_without_a_context_has_none() -> None:
    """LOG-011."""
    book = LogBook()
    book.note(1.5, "warn", "x")
    [entry] = book.drain()
    assert entry.record() == {"timestamp": "1970-01-01T00:00:01.500Z", "level": "warn", "message": "x"}


def test_a_frame_of_endless_depth_is_cut_off() -> None:
    deep: Any = "end"
    for _ in range(200):
        deep = {"d": deep}
    book = LogBook()
    book.frame(0.0, "RECV", deep, 100)
    json.dumps(book.drain()[0].record())
