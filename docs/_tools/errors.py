"""Write docs/reference/errors.md from the catalogues: ``python docs/_tools/errors.py`` from the project's root."""

from collections.abc import Iterable
from pathlib import Path

from telnyx_core.catalogue import ERRORS, WARNINGS, Entry, ErrorCode, WarningCode, make_error

PAGE = Path(__file__).parents[1] / "reference" / "errors.md"

HEAD = """\
# Errors and warnings

<!-- Written by docs/_tools/errors.py from telnyx_core/catalogue.py; change it there. -->

A fault reaches the application as one event: `telnyx.error` with a `TelnyxError`, or `telnyx.warning` with a
`TelnyxWarning`. Both have `code`, `name`, `message`, `description`, `causes` and `solutions`; an error has `fatal` and
`original` besides. The event repeats `code`, `name` and `message`, so that `event.code` and `event.error.code` are the
same number. `original` is the failure behind the error, with the server's own words when it spoke.

*Fatal* means: what the event names is over, and the client does nothing more for it. An error that is not fatal can be
ignored, or the client is already recovering.

Some failures are raised instead, because the caller can act on the spot. All of them leave everything as it was. Of
unusable credentials a client tells both ways: code that came from the JS SDK waits for the event.

| exception | code | raised when |
|---|---|---|
| `OptionsError` | | a client is built with options that cannot be used |
| `InvalidCallParameters` | 44002 | `new_call` is given options that cannot be used |
| `InvalidCredentials` | 46002 | `login` is given no usable set of credentials |
| `NotConnected` | | the command needs a socket, and there is none |
| `NotReady` | | the command needs a registered session, and this one is not registered yet |
| `Busy` | | a second speed test is asked for while one is under way, or its answer is still to come |
| `InvalidCallState` | | the call has ended, does not exist, or its state does not allow the command |
"""

ERROR_HEAD = """
## Errors

42001, 42002 and 42003 are fatal only where a call cannot be set up for want of its source: not while [microphone
recovery](options.md#microphone-recovery) waits for the application, nor when a source or sink breaks off in mid-call or
another cannot be opened in its place. 46003 is fatal when automatic reconnection is off.

"""

WARNING_HEAD = """\
## Warnings

"""


def contents(kind: str, codes: Iterable[ErrorCode | WarningCode]) -> str:
    rows = (
        f"| [{int(code)}](#{kind.lower()}-{int(code)}) | `{code.name}` | {entry(code).message} |\n" for code in codes
    )
    return f"| code | name | message |\n|---|---|---|\n{''.join(rows)}\n"


def entry(code: ErrorCode | WarningCode) -> Entry:
    return ERRORS[code] if isinstance(code, ErrorCode) else WARNINGS[code]


def section(code: ErrorCode | WarningCode) -> str:
    """One entry, under a heading that its number finds: ``errors.html#error-45001``."""
    found = entry(code)
    kind = "Error" if isinstance(code, ErrorCode) else "Warning"
    fatal = " Fatal." if isinstance(code, ErrorCode) and make_error(code).fatal else ""
    parts = [f"### {kind} {int(code)}", f"`{code.name}`: {found.message}{fatal} {found.description}"]
    for title, texts in (("Typical causes", found.causes), ("What to do", found.solutions)):
        if texts:
            parts.append(f"{title}:\n\n" + "\n".join(f"- {text}" for text in texts))
    return "\n\n".join(parts) + "\n\n"


def page() -> str:
    parts = [HEAD, ERROR_HEAD, contents("Error", ErrorCode), *map(section, ErrorCode)]
    parts += [WARNING_HEAD, contents("Warning", WarningCode), *map(section, WarningCode)]
    return "".join(parts).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
