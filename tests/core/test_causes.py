"""Why a call ends, and why a description was refused."""

import pytest

from telnyx_core._call.causes import INCOMPATIBLE, NO_USABLE_CANDIDATE, TEMPORARY_FAILURE, LastDescription, refusal
from telnyx_core._wire.codec import ServerError
from telnyx_core.errors import Failure, FailureKind
from telnyx_core.events import Cause

REFUSED = Failure(FailureKind.SERVER_ERROR, "the server refused it")


@pytest.mark.parametrize(
    ("message", "cause"),
    [("CODEC ERROR", INCOMPATIBLE), ("MEDIA ERROR", INCOMPATIBLE), ("CALL DOES NOT EXIST", TEMPORARY_FAILURE)],
)
def test_a_refused_answer_is_never_called_busy(message: str, cause: Cause) -> None:
    assert refusal(ServerError(code=-32000, message=message)) == cause


def test_without_an_error_of_the_server_there_is_no_cause_of_its() -> None:
    assert refusal(None) is None


@pytest.mark.parametrize(
    ("only_host", "after", "explained"),
    [(True, 0.0, True), (True, 1.0, True), (True, 1.01, False), (False, 0.0, False)],
)
def test_only_a_quick_refusal_of_private_addresses_is_explained_by_them(
    only_host: bool, after: float, explained: bool
) -> None:
    error = LastDescription(only_host, sent=5.0).explained(REFUSED, 5.0 + after)
    assert (NO_USABLE_CANDIDATE in error.text) is explained
    assert error.text.startswith(REFUSED.text)
    assert error.kind is REFUSED.kind


def test_before_anything_was_sent_nothing_is_explained() -> None:
    assert LastDescription(only_host=True).explained(REFUSED, 0.0) is REFUSED
