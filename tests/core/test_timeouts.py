"""The durations that make sense only in their order."""

from itertools import pairwise

import pytest

from telnyx_core._time import timeouts as t


@pytest.mark.parametrize(
    ("ordered", "why"),
    [
        ((t.QUIET_TALKING, t.QUIET, t.SILENCE, t.OUTBOUND_SILENCE), "a probe is sent before the socket is given up"),
        ((t.DOUBT, t.PROBE, t.SILENCE), "doubt shortens the wait, and a probe is answered before silence decides"),
        ((t.CLOSE_SILENT, t.CLOSE_SAFETY), "a socket that is silent anyway gets less"),
        ((t.HURRIED_LEAST, t.HURRIED), "the least is less"),
        ((t.RETAIN, t.ATTACH_WAIT, t.ORPHAN, t.TOMBSTONE), "the call waits no longer than the server keeps it"),
        ((t.DISCONNECTED_GRACE, t.RENEW_VERIFY, t.EPISODE_RESET), "an attempt ends before they are counted anew"),
        ((t.GATHER_WINDOW, t.GATHER_WINDOW_ATTACH, t.GATHER_SAFETY), "gathering has an end after its windows"),
        ((t.REQUEST, t.INVITE_REPLY), "an invite is answered by somebody"),
        ((t.LOGIN_NOTICE, t.TOKEN_NOTICE), "a token is asked for before the login that uses it"),
        ((t.HOLD_AGAIN, t.REQUEST), "a repeat is sent within the time of one request"),
    ],
)
def test_durations_are_in_order(ordered: tuple[float, ...], why: str) -> None:
    assert all(first < second for first, second in pairwise(ordered)), why
