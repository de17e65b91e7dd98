from importlib.resources import as_file
from pathlib import Path

import numpy as np
import pytest

from telnyx_core.options import CustomHeader
from telnyx_drivers._assets import HELLO
from telnyx_drivers._tools.cli.arguments import (
    CodecName,
    check_playable,
    check_writable,
    parse_codecs,
    parse_digits,
    parse_headers,
)
from telnyx_drivers._tools.cli.checks import audible, parse_codes
from telnyx_drivers._tools.cli.exits import UsageError
from tests.audio.helpers import write_wav


def test_headers_are_written_as_in_sip() -> None:
    assert parse_headers(["X-Account: 42", "X-Url:http://a/b:c", "X-Empty:"]) == (
        CustomHeader("X-Account", "42"),
        CustomHeader("X-Url", "http://a/b:c"),
        CustomHeader("X-Empty", ""),
    )


@pytest.mark.parametrize("text", ["", "X-Account", ": value", "X Account: 1", "X-A: 1\r\nX-B: 2", "X-A: \x1b[2J"])
def test_a_header_that_could_be_misread_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--header"):
        parse_headers([text])


@pytest.mark.parametrize("text", ["Authorization pl4nt3d", "Bad Name: pl4nt3d", "X-Auth: pl4nt3d\a"])
def test_a_refused_header_is_not_repeated(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_headers([text])
    assert "pl4nt3d" not in str(refused.value)


@pytest.mark.parametrize("digits", ["1", "0123456789*#ABCDabcd", "1,2w3W"])
def test_digits_of_call_135(digits: str) -> None:
    assert parse_digits(digits) == digits


@pytest.mark.parametrize("digits", ["", "12 3", "12e", "１"])
def test_other_digits_are_refused(digits: str) -> None:
    with pytest.raises(UsageError, match="--dtmf"):
        parse_digits(digits)


def test_codecs_keep_their_order_and_come_once() -> None:
    codecs = parse_codecs([CodecName.PCMA, CodecName.OPUS, CodecName.PCMA])
    assert [(codec.mime_type, codec.clock_rate) for codec in codecs] == [("audio/PCMA", 8_000), ("audio/opus", 48_000)]


def test_files_are_checked_before_the_call(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        check_playable(str(tmp_path / "missing.wav"))
    (tmp_path / "text.wav").write_text("not a sound")
    with pytest.raises(UsageError, match=r"--play .*text\.wav"):
        check_playable(str(tmp_path / "text.wav"))
    write_wav(tmp_path / "empty.wav", np.zeros(0, np.int16), 8_000)
    with pytest.raises(UsageError, match=r"empty\.wav: it holds no audio"):
        check_playable(str(tmp_path / "empty.wav"))
    assert check_playable("https://radio.example/live") == "https://radio.example/live"
    with as_file(HELLO) as hello:
        assert check_playable(str(hello)) == str(hello)
    with pytest.raises(UsageError, match="no folder"):
        check_writable(tmp_path / "missing" / "out.wav")
    with pytest.raises(UsageError, match="no folder"):
        check_writable(tmp_path)
    assert check_writable(tmp_path / "out.wav") == tmp_path / "out.wav"


def test_codes_are_known_by_number_and_by_name() -> None:
    assert parse_codes(["31001", "high_jitter", "NETWORK_OFFLINE"]) == {31001, 31002, 48001}
    assert parse_codes([]) == frozenset()
    for wrong in ("", "1", "31001x", "NO_SUCH_WARNING"):
        with pytest.raises(UsageError, match="--fail-on"):
            parse_codes([wrong])


@pytest.mark.parametrize(("level", "heard"), [(0, False), (100, False), (-100, False), (200, True), (-32_768, True)])
def test_codec_noise_is_not_audible_and_quiet_speech_is(level: int, heard: bool) -> None:
    assert audible(np.array([0, level, 0], np.int16)) is heard
