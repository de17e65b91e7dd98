"""How long a call waits for the server that kept it, or did not."""

import pytest

from telnyx_core import Timer
from telnyx_core._call.retention import Retention, Unattached
from telnyx_core._time import timeouts
from telnyx_core.options import ClientOptions
from tests.core.hosts import CALL, Host


def on_the_next_socket(**members: float) -> tuple[Retention, Host]:
    """A call of the first socket, on the second one."""
    host = Host(ClientOptions(login_token="t", **members))  # type: ignore[arg-type]  # no secret
    retention = Retention(CALL, host.as_host)
    host.generation = 2
    return retention, host


def test_each_socket_begins_anew() -> None:
    retention, host = on_the_next_socket()
    assert not retention.settled_here
    retention.named()
    retention.attached()
    assert (retention.created_here, retention.named_here, retention.attached_here) == (False, True, True)
    host.generation = 3
    assert (retention.settled_here, retention.kept_here) == (False, False)


def test_the_time_of_the_server_starts_again_only_after_a_login() -> None:
    retention, host = on_the_next_socket()
    assert retention.until(10.0) == 10.0 + timeouts.ORPHAN
    retention.lost(10.0, logged_in=True)
    retention.lost(50.0, logged_in=False)
    assert host.due(Timer.ORPHAN) == retention.until(60.0) == 10.0 + timeouts.ORPHAN
    retention.lost(60.0, logged_in=True)
    assert host.due(Timer.ORPHAN) == 60.0 + timeouts.ORPHAN


@pytest.mark.parametrize(("plays", "wait"), [(True, timeouts.RETAIN), (False, timeouts.ATTACH_WAIT)])
def test_a_call_that_is_listed_waits_for_its_attach_once(plays: bool, wait: float) -> None:
    retention, host = on_the_next_socket()
    retention.lost(0.0, logged_in=True)
    retention.listed(1.0, plays=plays)
    retention.listed(9.0, plays=plays)
    assert (host.due(Timer.ORPHAN), host.due(Timer.ATTACH_WAIT)) == (None, 1.0 + wait)


def test_a_listed_call_that_plays_on_is_kept_and_one_that_fell_silent_waits_for_the_rest() -> None:
    retention, host = on_the_next_socket()
    retention.listed(1.0, plays=True)
    assert retention.unattached(4.0, plays=False) is Unattached.WAITING
    assert host.due(Timer.ATTACH_WAIT) == 1.0 + timeouts.ATTACH_WAIT
    assert retention.unattached(16.0, plays=False) is Unattached.GIVEN_UP
    assert retention.unattached(16.0, plays=True) is Unattached.KEPT
    assert retention.attached_here


def test_a_call_that_no_list_names_waits_a_little_where_the_application_lets_it() -> None:
    retention, host = on_the_next_socket(reattach_wait=4.0)
    assert retention.unlisted(1.0) is Unattached.WAITING
    assert host.due(Timer.ATTACH_WAIT) == 5.0
    retention, host = on_the_next_socket(reattach_wait=0)
    assert retention.unlisted(1.0) is Unattached.GIVEN_UP
    retention.named()
    assert retention.unlisted(1.0) is Unattached.WAITING, "it has been named since"


def test_a_server_that_lists_nothing_decides_nothing() -> None:
    retention, host = on_the_next_socket()
    retention.unnamed(1.0, plays=True)
    assert host.due(Timer.ATTACH_WAIT) == 1.0 + timeouts.RETAIN
    assert retention.kept_here
    assert not retention.settled_here
    assert retention.unattached(4.0, plays=False) is Unattached.WAITING, "only the server's time bounds it"


@pytest.mark.parametrize(
    ("connected", "usable", "refused", "outcome"),
    [
        (True, False, False, Unattached.WAITING),
        (True, True, False, Unattached.GIVEN_UP),
        (False, False, False, Unattached.GIVEN_UP),
        (True, False, True, Unattached.GIVEN_UP),
    ],
)
def test_only_a_login_that_is_under_way_gives_more_time(
    connected: bool, usable: bool, refused: bool, outcome: Unattached
) -> None:
    retention, host = on_the_next_socket()
    host.connected, host.usable, host.login_refused = connected, usable, refused
    assert retention.orphaned(120.0) is outcome
    again = 120.0 + timeouts.ORPHAN_AGAIN if outcome is Unattached.WAITING else None
    assert host.due(Timer.ORPHAN) == again
