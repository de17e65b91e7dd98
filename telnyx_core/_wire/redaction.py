"""The one table of what is secret, and how it is removed from everything that is about to be written down.

Logs, journals, call reports, debug files, pages and uploads all use it, so that a secret which one of them hides is
hidden by each. Everything here errs on the side of hiding:

* *Names* decide for the members of JSON, for pairs such as ``{"name": "Authorization", "value": ...}``, and for text
  that says ``name=value`` or ``"name": "value"``.
* *User variables* are the application's own, and are hidden as a whole.
* *Shapes* decide wherever they stand: JSON Web Tokens, HTTP credentials (RFC 9110 section 11.4), the user part of a
  URL, the password of a SIP address (RFC 3261 section 19.1.1), and SDP lines with key material (RFC 8839 ``ice-pwd``,
  RFC 4568 ``crypto``, RFC 8866 ``k=``).
* *Digits* that were dialled may be a card's number or a PIN.
* *Known* secrets, such as the password that this client logs in with, are hidden where the far end quotes them.
"""

import json
import re
from collections import deque
from typing import Final, cast
from urllib.parse import quote

from telnyx_core._wire.json_types import Json

HIDDEN: Final = "***"
DEPTH: Final = 32
"""Nesting beyond this is hidden as a whole: no real frame comes near it."""

_NAMES: Final = frozenset(
    {"voice_sdk_id", "voicesdkid", "callreportvoicesdkid", "sessid", "session_id", "sessionid", "clientstate"}
)
"""Whole names. The session ids let a stranger take a session over; the client state is the application's own."""
_NAME: Final = re.compile(
    r"passw|passphrase|passcode|passkey|userpass|secret|credential|token|auth(?!entication|or(?!i))"
    r"|(?:api|access|account|client|encryption|license|master|private|session|shared|signing|ssh|storage|subscription)_?key"
    r"|ice_?pwd|(?:^|_)(?:pass|pwd|pin|otp|cvv|cvc|jwt|bearer|cookie|hmac|sig|signature)(?:_|$)"
)
"""Parts of names, in lower case and with ``_`` between the words, or with nothing there (STATS-235 and more).

How a client logs in (``authentication``) is no secret.
"""
_PAIR: Final = (frozenset({"name", "key", "header", "field"}), frozenset({"value", "val"}))
"""Members of which one names the other, in lower case."""
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_DIGIT_NAMES: Final = frozenset({"dtmf", "digit", "digits"})
_OPEN_NAMES: Final = frozenset({"uservariables", "user_variables"})
"""Members that hold whatever the application likes."""
_OURS: Final = frozenset({"push_when_active", "pn_late_fanout"})
"""User variables that the protocol has given a meaning."""

_RUN: Final = re.compile(r"[\w.-]{12,}")
"""What could be a token: the longest run of its characters, so that no text costs more than one pass."""
_SDP_KEY: Final = re.compile(r"(a=(?:ice-pwd|crypto|key-mgmt):|\bk=)([^\r\n\\\"]+)", re.IGNORECASE)
_SCHEME: Final = re.compile(r"\b((?:Bearer|Basic|Digest)[ \t]+)([\w.~+/=-]{6,})", re.IGNORECASE)
_HEAD: Final = re.compile(
    r"""(?<![\w-])(?P<flag>--)?(?P<name>[A-Za-z][\w-]{1,63})"""
    r"""(?:\\?["']?\s{0,8}(?:[=:]|%3[AD])\s{0,8}|["']\s{0,8},\s{0,8}(?=b?["'])|(?(flag)[ \t]{1,8}|(?!)))"""
    r"""(?:b(?=["']))?(?:(?:Bearer|Basic|Digest)[ \t]+)?""",
    re.IGNORECASE,
)
"""A name and what stands before its value: ``name=``, ``"name": ``, ``('name', ``, ``--name ``."""
_SEPARATOR: Final = re.compile(r"[=:,% ]")
_HEADER_LINE: Final = re.compile(r"(?:authorization|cookie2?)$", re.IGNORECASE)
"""Headers of which the whole line is secret, whatever the scheme (RFC 9110 section 11.6.2, RFC 6265 section 4.2)."""
_LINE: Final = re.compile(r"(?P<bare>[^\s\"'\\][^\r\n\\]*)")
_VALUE: Final = re.compile(
    r"""\\"(?P<escaped>[^"\\]*)|"(?P<double>(?:[^"\\]|\\.)*)|'(?P<single>(?:[^'\\]|\\.)*)|(?P<bare>[^\s&,;}\]"']+)"""
)
_USERINFO: Final = re.compile(r"(?<=//)([^/\s?#\"<>\\]+)(?=@)")
"""To the last ``@``: a password may have one, and the server is found all the same."""
_SIP_PASSWORD: Final = re.compile(r"\b((?:sips?|turns?):[^\s:@/<>\"]{1,128}:)([^\s@<>\"]{1,256})(?=@)", re.IGNORECASE)
_DIGIT: Final = re.compile(r"[0-9A-Da-d*#]")

_LEAST_KNOWN: Final = 4
"""Characters of a known secret that is looked for in what others say; shorter ones are part of any word."""
_NO_WORD: Final = 8
"""Characters from which on one is looked for also within a word, for an escape sequence may stand before it."""
_MOST_KNOWN: Final = 64
"""The credentials of as many logins."""
_MOST_IDS: Final = 8
"""The tokens and ids of the last sessions."""
_KEPT: Final = frozenset({"jsonrpc", "method"})
"""Members whose values are words of the protocol, even if somebody has chosen such a word as a password."""


def is_secret_name(name: str) -> bool:
    """Whether a member of this name holds a secret: without regard to case, ``-``, ``_`` and camelCase."""
    words = _HUMP.sub("_", name[:128]).lower().replace("-", "_")
    return any(form in _NAMES or _NAME.search(form) is not None for form in (words, words.replace("_", "")))


class Redactor:
    """Takes the secrets out of JSON and of text. A subclass may put something else in their places."""

    def __init__(self) -> None:
        self._known: deque[str] = deque(maxlen=_MOST_KNOWN)
        self._ids: deque[str] = deque(maxlen=_MOST_IDS)
        self._quoted: re.Pattern[str] | None = None

    def learn(self, *secrets: str | None) -> None:
        """Hide these, which this client was given, also where somebody else quotes them."""
        self._learn(self._known, secrets)

    def learn_ids(self, *ids: str | None) -> None:
        """The same for what the server gives out; it may give out any number, and the last ones count."""
        self._learn(self._ids, ids)

    def _learn(self, known: deque[str], secrets: tuple[str | None, ...]) -> None:
        new = [secret for secret in secrets if secret and len(secret) >= _LEAST_KNOWN and secret not in known]
        if new:
            known.extend(new)
            self._quoted = re.compile("|".join(map(_quoted, sorted(_forms(*self._known, *self._ids), key=len)[::-1])))

    def value(self, value: Json, member: str = "") -> Json:
        """A copy of a JSON value, which is the value of such a ``member``, without its secrets."""
        return self._value(value, member, DEPTH)

    def text(self, text: str) -> str:
        """A text without its secrets; a JSON text stays one (its white space may change)."""
        try:
            value = cast("Json", json.loads(text))
        except RecursionError:
            return HIDDEN
        except ValueError:
            return self.plain(text)
        return json.dumps(self.value(value), ensure_ascii=False, separators=(",", ":"))

    def plain(self, text: str) -> str:
        """As `text`, for what is no JSON."""
        text = _SDP_KEY.sub(lambda found: found[1] + self.hide(found[2]), text)
        if "@" in text:
            text = _USERINFO.sub(lambda found: self.hide(found[1]), text)
            text = _SIP_PASSWORD.sub(lambda found: found[1] + self.hide(found[2]), text)
        if _SEPARATOR.search(text):
            text = self._pairs(text)
        text = _RUN.sub(lambda found: self.hide(found[0]) if _is_jwt(found[0]) else found[0], text)
        text = _SCHEME.sub(lambda found: found[1] + self.hide(found[2]), text)
        if self._quoted is not None:
            text = self._quoted.sub(lambda found: self.hide(found[0]), text)
        return text

    # What a subclass may do otherwise.

    def hide(self, secret: str) -> str:
        """What stands in the place of a secret."""
        return HIDDEN

    def hide_digits(self, digits: str) -> str:
        return HIDDEN

    def hide_whole(self, value: Json) -> Json:
        """What stands in the place of a secret that is no text."""
        return HIDDEN

    # How it is found.

    def _value(self, value: Json, member: str, depth: int) -> Json:
        if depth == 0:
            return HIDDEN
        match value:
            case str():
                return self._string(value, member)
            case list():
                return self._list(value, member, depth - 1)
            case dict():
                return self._members(value, member, depth - 1)
            case None:
                return value
            case bool() if member.startswith(("has", "is")):
                return value  # that there is one, or not, reveals nothing of it
            case _:
                return self.hide_whole(value) if is_secret_name(member) or member in _DIGIT_NAMES else value

    def _string(self, text: str, member: str) -> str:
        if not text or member in _KEPT:
            return text
        if member in _DIGIT_NAMES:
            return self.hide_digits(text)
        return self.hide(text) if is_secret_name(member) else self.plain(text)

    def _list(self, items: list[Json], member: str, depth: int) -> Json:
        if is_secret_name(member):
            return self.hide_whole(items)
        match items:
            case [str(name), str(value)] if is_secret_name(name):  # a header, as HTTP libraries list them
                return [name, self.hide(value)]
            case _:
                return [self._value(item, member, depth) for item in items]

    def _members(self, members: dict[str, Json], member: str, depth: int) -> Json:
        if is_secret_name(member):
            return self.hide_whole(members)
        if member.lower() in _OPEN_NAMES:
            return {
                name: item if name in _OURS or isinstance(item, bool | None) else self._whole(item)
                for name, item in members.items()
            }
        names, values = _PAIR
        named = any(
            isinstance(item, str) and inner.lower() in names and is_secret_name(item) for inner, item in members.items()
        )
        return {
            inner: self._whole(item) if named and inner.lower() in values else self._value(item, inner, depth)
            for inner, item in members.items()
        }

    def _whole(self, value: Json) -> Json:
        match value:
            case None | bool() | "":
                return value
            case str():
                return self.hide(value)
            case _:
                return self.hide_whole(value)

    def _pairs(self, text: str) -> str:
        """A name is looked for also in the value of another one: ``note: password=...``."""
        parts: list[str] = []
        done = 0
        for head in _HEAD.finditer(text):
            if head.start() < done or not is_secret_name(head["name"]):
                continue
            line = _LINE.match(text, head.end()) if _HEADER_LINE.search(head["name"]) else None
            found = line or _VALUE.match(text, head.end())
            if found is not None and found.lastgroup is not None and found[found.lastgroup]:
                begin, end = found.span(found.lastgroup)
                parts += (text[done:begin], self.hide(text[begin:end]))
                done = end
        return "".join((*parts, text[done:]))


def _forms(*secrets: str) -> set[str]:
    """Also as they stand in JSON and in a URL."""
    return {form for secret in secrets for form in (secret, json.dumps(secret)[1:-1], quote(secret, safe=""))}


def _quoted(secret: str) -> str:
    """The pattern of a secret. A short one, or a number, is looked for as a word of its own."""
    if len(secret) >= _NO_WORD and not secret.isdecimal():
        return re.escape(secret)
    return rf"(?:(?<!\w)|(?<=\\[bfnrt])){re.escape(secret)}(?!\w)"


def digits_as_zeros(digits: str) -> str:
    """As many digits and the same pauses, and nothing of what was dialled."""
    return _DIGIT.sub("0", digits)


def _is_jwt(run: str) -> bool:
    return "eyJ" in run and "." in run


PLAIN: Final = Redactor()
"""For what belongs to no client: nothing is known of its secrets but names and shapes."""


def redact(value: Json) -> Json:
    """A copy of a JSON value without its secrets."""
    return PLAIN.value(value)


def redact_text(text: str) -> str:
    """A text without its secrets; a JSON text stays one (its white space may change)."""
    return PLAIN.text(text)


def redact_url(url: str) -> str:
    """A URL without user information and without the secret ones of its query's values."""
    return PLAIN.plain(url)
