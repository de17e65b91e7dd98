"""Pending requests of a socket: signaling.md 2.3."""

from random import Random
from uuid import UUID

import pytest

from telnyx_core import Timer, TimerKey
from telnyx_core._signalling import messages as m
from telnyx_core._signalling.requests import DISTRUSTED, Pending, Purpose, RequestTable, new_uuid
from telnyx_core._time.limits import MAX_PENDING_REQUESTS
from telnyx_core._time.timers import TimerTable
from telnyx_core.ids import CallId, Ticket


@pytest.fixture
def timers() -> TimerTable:
    return TimerTable()


def test_ids_are_random_lower_case_uuids() -> None:
    """SIG-051: version 4, and drawn from the session's own dice."""
    rng = Random(1)
    ids = [new_uuid(rng) for _ in range(1_000)]
    assert len(set(ids)) == 1_000
    assert all(UUID(ident).version == 4 and str(UUID(ident)) == ident for ident in ids)
    assert {UUID(ident).variant for ident in ids} == {"specified in RFC 4122"}
    assert new_uuid(Random(1)) == ids[0]


def test_every_request_has_a_deadline(timers: TimerTable) -> None:
    """SIG-066, SIG-067: ten seconds, thirty for an invite; the probe is judged by the health check instead."""
    table = RequestTable(timers)
    methods = (m.LOGIN, m.ANONYMOUS_LOGIN, m.GATEWAY_STATE, m.PING, m.MODIFY, m.BYE, m.ANSWER, m.ATTACH, m.INFO)
    for method in (*methods, m.CANDIDATE, m.END_OF_CANDIDATES, m.AI_CONVERSATION):
        table.add(method, Pending(method, Purpose.TICKET), 100.0)
    table.add("invite", Pending(m.INVITE, Purpose.INVITE), 100.0)
    table.add("probe", Pending(m.PING, Purpose.PROBE), 100.0)
    assert {key.owner for key in timers.expired(110.0)} == {
        *methods,
        m.CANDIDATE,
        m.END_OF_CANDIDATES,
        m.AI_CONVERSATION,
    }
    assert list(timers.expired(129.9)) == []
    assert list(timers.expired(130.0)) == [TimerKey(Timer.REQUEST, "invite")]
    assert len(timers) == 0


def test_whose_silence_condemns_the_socket() -> None:
    """The timeout table of section 2.3: these and no others trigger recovery."""
    assert {m.MODIFY, m.BYE, m.PING, m.LOGIN, m.ANONYMOUS_LOGIN, m.GATEWAY_STATE, m.ATTACH} == DISTRUSTED


def test_a_request_is_taken_once(timers: TimerTable) -> None:
    """SIG-065: it settles exactly once."""
    table = RequestTable(timers)
    pending = Pending(m.MODIFY, Purpose.HOLD, CallId("c"), Ticket(1))
    table.add("a", pending, 0.0)
    assert table.take("a") is pending
    assert table.take("a") is None
    assert timers.next() is None


@pytest.mark.parametrize("ident", [None, 7, "8", "unknown"])
def test_an_id_of_somebody_else_matches_nothing(timers: TimerTable, ident: int | str | None) -> None:
    """SIG-056: our ids are texts, and a number never equals one."""
    table = RequestTable(timers)
    table.add("7", Pending(m.PING, Purpose.PING), 0.0)
    assert table.take(ident) is None
    assert len(table) == 1


def test_the_end_of_a_socket_takes_them_all(timers: TimerTable) -> None:
    """SIG-068: oldest first, and no deadline stays behind."""
    table = RequestTable(timers)
    for ident in ("a", "b", "c"):
        table.add(ident, Pending(ident, Purpose.TICKET), 0.0)
    table.take("b")
    assert [pending.method for pending in table.take_all()] == ["a", "c"]
    assert table.take_all() == []
    assert (len(table), len(timers)) == (0, 0)


def test_there_is_a_bound(timers: TimerTable) -> None:
    table = RequestTable(timers)
    for number in range(MAX_PENDING_REQUESTS):
        assert not table.full
        table.add(str(number), Pending(m.PING, Purpose.PROBE), 0.0)
    assert table.full
