"""Secrets come from the environment or a private file, and stand in no message."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from telnyx_drivers._tools.cli.credentials import MAX_FILE, PASSWORD, TOKEN, USERNAME, Credentials, find_credentials
from telnyx_drivers._tools.cli.exits import UsageError

SECRET = "s3cr3t-horse"


def silent(text: str) -> None:
    raise AssertionError(f"no warning was expected: {text}")


def private(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_a_token_or_a_user_with_a_password() -> None:
    assert find_credentials(None, environ={TOKEN: SECRET}, warn=silent) == Credentials(login_token=SECRET)
    both = {USERNAME: "alice", PASSWORD: SECRET}
    assert find_credentials(None, environ=both, warn=silent) == Credentials(login="alice", password=SECRET)


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({}, "No credentials in the environment"),
        ({TOKEN: ""}, "No credentials in the environment"),
        ({TOKEN: SECRET, USERNAME: "alice"}, "Both a token and a SIP user"),
        ({USERNAME: "alice"}, f"{PASSWORD} is missing"),
        ({PASSWORD: SECRET}, f"{USERNAME} is missing"),
    ],
)
def test_an_unusable_set_says_what_is_wrong(environ: Mapping[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        find_credentials(None, environ=environ, warn=silent)
    assert SECRET not in str(refused.value)


def test_a_file_wins_over_the_environment(tmp_path: Path) -> None:
    file = private(tmp_path / "credentials", f"# my phone\n\nexport {USERNAME} = alice\r\n{PASSWORD}='{SECRET} = x'\n")
    found = find_credentials(file, environ={TOKEN: "another"}, warn=silent)
    assert found == Credentials(login="alice", password=f"{SECRET} = x")


def test_a_file_is_read_as_people_write_it(tmp_path: Path) -> None:
    """A program's whole ``.env``: other names, comments behind values, quotes of either kind, ``export``."""
    lines = [
        f"{USERNAME}=alice # the night bot",
        "DATABASE_URL=postgres://db/x",
        f"export {PASSWORD}='{SECRET} # x' # y",
    ]
    file = private(tmp_path / ".env", "\n".join(lines))
    assert find_credentials(file, environ={}, warn=silent) == Credentials(login="alice", password=f"{SECRET} # x")


def test_names_that_are_none_of_ours_are_not_repeated(tmp_path: Path) -> None:
    file = private(tmp_path / "credentials", f"{SECRET}=x\n")
    with pytest.raises(UsageError, match="No credentials in") as refused:
        find_credentials(file, environ={}, warn=silent)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("line", [SECRET, f"={SECRET}"])
def test_a_bad_line_is_named_and_not_repeated(tmp_path: Path, line: str) -> None:
    file = private(tmp_path / "credentials", f"{USERNAME}=alice\n{line}\n")
    with pytest.raises(UsageError, match="line 2") as refused:
        find_credentials(file, environ={}, warn=silent)
    assert SECRET not in str(refused.value)


@pytest.mark.skipif(os.name != "posix", reason="permission bits are POSIX")
def test_a_file_that_others_can_read_is_pointed_out(tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    file.write_text(f"{TOKEN}={SECRET}\n")
    file.chmod(0o640)
    warnings: list[str] = []
    assert find_credentials(file, environ={}, warn=warnings.append).login_token == SECRET
    assert len(warnings) == 1
    assert "chmod 600" in warnings[0]
    assert SECRET not in warnings[0]


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        find_credentials(tmp_path / "missing", environ={}, warn=silent)
    with pytest.raises(UsageError, match="cannot be read"):
        find_credentials(tmp_path, environ={}, warn=silent)
    large = private(tmp_path / "large", "#" * (MAX_FILE + 1))
    with pytest.raises(UsageError, match="too large"):
        find_credentials(large, environ={}, warn=silent)
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00\x01\x80")
    with pytest.raises(UsageError, match="not a text file"):
        find_credentials(binary, environ={}, warn=silent)


def test_credentials_do_not_print_their_secrets() -> None:
    assert SECRET not in repr(Credentials(login_token=SECRET, login="alice", password=SECRET))
