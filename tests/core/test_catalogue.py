"""The catalogues: codes, names and ``fatal`` are normative (signaling.md 6.2, 6.3, SIG-355)."""

import pytest

from telnyx_core.catalogue import ERRORS, WARNINGS, ErrorCode, WarningCode, make_error, make_warning
from telnyx_core.errors import Failure, FailureKind, InvalidCallParameters, InvalidCredentials

ERROR_TABLE = [
    (40001, "SDP_CREATE_OFFER_FAILED", True),
    (40002, "SDP_CREATE_ANSWER_FAILED", True),
    (40003, "SDP_SET_LOCAL_DESCRIPTION_FAILED", True),
    (40004, "SDP_SET_REMOTE_DESCRIPTION_FAILED", True),
    (40005, "SDP_SEND_FAILED", True),
    (42001, "MEDIA_MICROPHONE_PERMISSION_DENIED", True),
    (42002, "MEDIA_DEVICE_NOT_FOUND", True),
    (42003, "MEDIA_GET_USER_MEDIA_FAILED", True),
    (44001, "HOLD_FAILED", False),
    (44002, "INVALID_CALL_PARAMETERS", True),
    (44003, "BYE_SEND_FAILED", False),
    (44004, "SUBSCRIBE_FAILED", False),
    (44005, "PEER_CLOSED_DURING_INIT", True),
    (45001, "WEBSOCKET_CONNECTION_FAILED", True),
    (45002, "WEBSOCKET_ERROR", False),
    (45003, "RECONNECTION_EXHAUSTED", True),
    (45004, "GATEWAY_FAILED", False),
    (46001, "LOGIN_FAILED", True),
    (46002, "INVALID_CREDENTIALS", True),
    (46003, "AUTHENTICATION_REQUIRED", False),
    (47001, "ICE_RESTART_FAILED", False),
    (48001, "NETWORK_OFFLINE", False),
    (48501, "SESSION_NOT_REATTACHED", True),
    (49001, "UNEXPECTED_ERROR", True),
]

WARNING_TABLE = [
    (31001, "HIGH_RTT"),
    (31002, "HIGH_JITTER"),
    (31003, "HIGH_PACKET_LOSS"),
    (31004, "LOW_MOS"),
    (31005, "LOW_LOCAL_AUDIO"),
    (31006, "LOW_INBOUND_AUDIO"),
    (32001, "LOW_BYTES_RECEIVED"),
    (32002, "LOW_BYTES_SENT"),
    (32003, "RECORDING_UNAVAILABLE"),
    (32004, "RECORDING_BUFFER_OVERFLOW"),
    (33001, "ICE_CONNECTIVITY_LOST"),
    (33002, "ICE_GATHERING_TIMEOUT"),
    (33003, "ICE_GATHERING_EMPTY"),
    (33004, "PEER_CONNECTION_FAILED"),
    (33005, "ONLY_HOST_ICE_CANDIDATES"),
    (33006, "ANSWER_WHILE_PEER_ACTIVE"),
    (33007, "DUPLICATE_INBOUND_ANSWER"),
    (33008, "ICE_CANDIDATE_PAIR_CHANGED"),
    (33009, "AUDIO_INPUT_DEVICE_CHANGE_SKIPPED"),
    (33010, "MULTIPLE_ACTIVE_CALLS_DETECTED"),
    (33011, "SHARED_REMOTE_ELEMENT_OVERWRITE"),
    (34001, "TOKEN_EXPIRING_SOON"),
    (35002, "UNKNOWN_REATTACHED_SESSION"),
    (36003, "SIGNALING_RECOVERY_REQUIRED"),
    (36004, "MEDIA_RECOVERY_REQUIRED"),
    (36005, "RECONNECTION_FAILED_WITH_NO_AUTO_RECONNECT"),
]


@pytest.mark.parametrize(("code", "name", "fatal"), ERROR_TABLE)
def test_errors_of_the_table(code: int, name: str, fatal: bool) -> None:
    """SIG-360 to SIG-368."""
    error = make_error(ErrorCode(code))
    assert (error.code, error.name, error.fatal, error.original) == (code, name, fatal, None)
    assert type(error.code) is int, "an IntEnum would not survive every serialiser"


@pytest.mark.parametrize(("code", "name"), WARNING_TABLE)
def test_warnings_of_the_table(code: int, name: str) -> None:
    """SIG-370 to SIG-375."""
    warning = make_warning(WarningCode(code))
    assert (warning.code, warning.name) == (code, name)
    assert type(warning.code) is int


def test_nothing_but_the_table() -> None:
    """SIG-377: among others 35001 must not come back."""
    assert [int(code) for code in ErrorCode] == [code for code, _, _ in ERROR_TABLE]
    assert [int(code) for code in WarningCode] == [code for code, _ in WARNING_TABLE]
    assert list(ERRORS) == list(ErrorCode)
    assert list(WARNINGS) == list(WarningCode)


@pytest.mark.parametrize("code", [*ErrorCode, *WarningCode], ids=lambda code: code.name)
def test_every_text_says_something(code: ErrorCode | WarningCode) -> None:
    """SIG-350: an event carries a cause and a remedy, as whole sentences."""
    entry = ERRORS[code] if isinstance(code, ErrorCode) else WARNINGS[code]
    assert isinstance(entry.causes, tuple), "one text in brackets is a str, which falls apart into letters"
    assert isinstance(entry.solutions, tuple)
    assert entry.causes
    assert entry.solutions
    texts = (entry.message, entry.description, *entry.causes, *entry.solutions)
    assert len(set(texts)) == len(texts)
    for text in texts:
        assert text == text.strip()
        assert text.endswith(".")
        assert len(text.split()) >= 2, "a sentence, not a word"
    assert len(entry.message) <= 60, "the message is for the person at the phone"


def test_what_happened_is_attached() -> None:
    failure = Failure(FailureKind.SERVER_ERROR, "Authentication Failure", code=-32001, method="login")
    assert make_error(ErrorCode.LOGIN_FAILED, failure).original is failure


def test_fatal_can_be_told_otherwise() -> None:
    """SIG-353: the recovery form is not fatal. SIG-364: 46003 is, when nothing reconnects."""
    assert not make_error(ErrorCode.MEDIA_DEVICE_NOT_FOUND, fatal=False).fatal
    assert make_error(ErrorCode.AUTHENTICATION_REQUIRED, fatal=True).fatal


def test_exceptions_carry_the_code_of_the_catalogue() -> None:
    assert InvalidCallParameters.code == ErrorCode.INVALID_CALL_PARAMETERS
    assert InvalidCredentials.code == ErrorCode.INVALID_CREDENTIALS
