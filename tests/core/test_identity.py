"""What survives a socket and, with a store, a process: signaling.md 4.5 and 5.3."""

import pytest

from telnyx_core._signalling.identity import CallMarker, Identity
from telnyx_core._wire.json_types import Json, JsonObject

STORED: JsonObject = {
    "voice_sdk_id": "VSDK",
    "session_id": "s-1",
    "session_id_stored_at": 1_000.0,
    "calls": [{"id": "a", "held": True}, {"id": "b", "held": False}],
}


def recalled(age: float, **changes: Json) -> Identity:
    """An identity of a former process whose stamp is so many seconds old, at monotonic time 50."""
    identity = Identity.recalled({**STORED, **changes})
    identity.set_wall(1_000.0 + age, 50.0)
    return identity


def test_without_a_store_there_is_nothing() -> None:
    assert Identity.recalled(None) == Identity()
    assert Identity().resumable(0.0) is None


def test_a_former_process_is_remembered() -> None:
    identity = recalled(10.0)
    assert identity.voice_sdk_id == "VSDK"
    assert identity.markers == (CallMarker("a", True), CallMarker("b", False))
    assert identity.resumable(50.0) == "s-1"


@pytest.mark.parametrize(("age", "resumes"), [(0.0, True), (120.0, True), (120.1, False), (600.0, False)])
def test_a_session_id_is_fresh_for_two_minutes(age: float, resumes: bool) -> None:
    """SIG-232, SIG-464: inclusive."""
    assert recalled(age).resumable(50.0) == ("s-1" if resumes else None)


def test_a_stale_session_id_is_erased() -> None:
    identity = recalled(121.0)
    assert identity.resumable(50.0) is None
    assert identity.session_id is None
    assert "session_id" not in identity.record([], 50.0, 1_121.0)


def test_a_clock_that_went_backwards_makes_nothing_fresher_than_now() -> None:
    assert recalled(-3_600.0).stamped_at == 50.0


@pytest.mark.parametrize(("age", "count"), [(900.0, 2), (900.1, 0)])
def test_a_marker_is_good_for_a_quarter_of_an_hour(age: float, count: int) -> None:
    """SIG-317, SIG-465."""
    assert len(recalled(age).markers) == count


def test_epoch_time_is_taken_once() -> None:
    """Later sockets must not age the stamp of a session that lives."""
    identity = recalled(10.0)
    identity.stamp(60.0)
    identity.set_wall(99_999.0, 70.0)
    assert identity.stamped_at == 60.0
    assert len(identity.markers) == 2


@pytest.mark.parametrize("calls", [None, "a", 5, {}, [1, "a", {}, {"id": ""}, {"id": 7}, {"id": "x" * 257}]])
def test_malformed_markers_count_as_absent(calls: Json) -> None:
    """SIG-317; SIG-230: a store that fails behaves as empty."""
    assert recalled(0.0, calls=calls).markers == ()


@pytest.mark.parametrize("stamp", [None, "yesterday", True, [], float("nan"), float("inf"), 10**400])
def test_a_malformed_stamp_proves_nothing(stamp: Json) -> None:
    assert recalled(0.0, session_id_stored_at=stamp).resumable(50.0) is None


@pytest.mark.parametrize("name", ["voice_sdk_id", "session_id"])
@pytest.mark.parametrize("value", [None, "", 5, [], "V" * 1_025, "V\r\nx: y", "V V", "Vé"])
def test_malformed_values_count_as_absent(name: str, value: Json) -> None:
    assert getattr(recalled(0.0, **{name: value}), name) is None


def test_the_store_is_bounded() -> None:
    many: list[Json] = [{"id": str(number), "held": False} for number in range(100_000)]
    assert len(recalled(0.0, calls=many).markers) <= 4_096


def test_a_login_result_without_an_id_keeps_the_one_there_is() -> None:
    """SIG-118."""
    identity = Identity(session_id="s-1")
    identity.logged_in(None, 5.0)
    assert (identity.session_id, identity.stamped_at) == ("s-1", 5.0)
    identity.logged_in("s-2", 6.0)
    assert (identity.session_id, identity.stamped_at) == ("s-2", 6.0)


def test_without_any_id_there_is_no_stamp() -> None:
    identity = Identity()
    identity.logged_in(None, 5.0)
    assert identity.stamped_at is None


def test_another_session_makes_the_markers_void() -> None:
    """SIG-331: erased, and no event."""
    identity = recalled(10.0)
    identity.logged_in("s-1", 51.0)
    assert len(identity.markers) == 2
    identity.logged_in("s-2", 52.0)
    assert identity.markers == ()


def test_a_token_is_news_only_when_it_changes() -> None:
    identity = Identity()
    identity.take_token("V")
    assert identity.dirty
    identity.record([], 0.0, 0.0)
    identity.take_token("V")
    identity.take_token(None)
    assert not identity.dirty
    assert identity.voice_sdk_id == "V"


def test_what_is_written_can_be_read_again() -> None:
    identity = Identity(voice_sdk_id="V")
    identity.logged_in("s", 100.0)
    record = identity.record([CallMarker("a", True)], 130.0, 5_030.0)
    assert record == {
        "voice_sdk_id": "V",
        "session_id": "s",
        "session_id_stored_at": 5_000.0,
        "calls": [{"id": "a", "held": True}],
    }
    again = Identity.recalled(record)
    again.set_wall(5_060.0, 10.0)
    assert (again.voice_sdk_id, again.resumable(10.0), again.markers) == ("V", "s", (CallMarker("a", True),))
    assert again.stamped_at == -50.0


def test_without_a_session_nothing_of_calls_is_written() -> None:
    """SIG-316: erased when there is no session id."""
    assert Identity(voice_sdk_id="V").record([CallMarker("a", False)], 0.0, 0.0) == {"voice_sdk_id": "V"}


def test_a_marker_that_is_still_open_is_written_back() -> None:
    """SIG-317: reading does not consume it. A process that dies before the attach must leave it to the next."""
    identity = recalled(10.0)
    identity.logged_in("s-1", 51.0)
    identity.claim("b")
    assert identity.record([CallMarker("b", True)], 51.0, 1_011.0)["calls"] == [
        {"id": "b", "held": True},
        {"id": "a", "held": True},
    ]


def test_a_claimed_marker_is_gone_from_the_store_too() -> None:
    identity = recalled(10.0)
    identity.record([], 50.0, 1_010.0)
    identity.claim("nobody")
    assert not identity.dirty
    identity.claim("a")
    assert identity.dirty
    assert (identity.marker("a"), identity.marker("b")) == (None, CallMarker("b", False))


def test_forgetting_the_session_keeps_the_token_unless_told() -> None:
    """SIG-235, SIG-234."""
    identity = recalled(10.0)
    identity.forget_session(token=False)
    assert (identity.voice_sdk_id, identity.session_id, identity.markers) == ("VSDK", None, ())
    identity.forget_session(token=True)
    assert identity == Identity(dirty=True)


@pytest.mark.parametrize("what", [{"session_id": "s"}, {"markers": (CallMarker("a", False),)}, {"voice_sdk_id": "V"}])
@pytest.mark.parametrize("token", [False, True])
def test_forgetting_something_is_news(what: dict[str, object], token: bool) -> None:
    identity = Identity(**what)
    identity.forget_session(token=token)
    assert identity.dirty is (token or "voice_sdk_id" not in what)


def test_forgetting_nothing_is_no_news() -> None:
    identity = Identity()
    identity.forget_session(token=True)
    assert not identity.dirty


def test_secrets_stay_out_of_the_repr() -> None:
    assert "VSDK" not in repr(recalled(0.0))
