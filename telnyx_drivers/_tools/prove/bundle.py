"""The one file to hand on: journals, pages and verdicts, without secrets or personal data."""

import json
import os
import re
import zipfile
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, metadata
from ipaddress import ip_address
from pathlib import Path
from typing import Final, cast

from attrs import frozen

from telnyx_core._version import VERSION
from telnyx_core._wire.codec import encode
from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core._wire.redaction import redact
from telnyx_core.options import CallOptions
from telnyx_drivers._private_file import open_private
from telnyx_drivers._tools.prove.evidence import Evidence
from telnyx_drivers._tools.prove.plan import Plan
from telnyx_drivers._tools.prove.rules import Finding
from telnyx_drivers._tools.report.hide import Pseudonyms
from telnyx_drivers._tools.report.page import render
from telnyx_drivers._tools.report.read import read_story

_MEMBERS: Final[Mapping[str, str]] = {
    "login": "user",
    "username": "user",
    "user": "user",
    "caller_number": "number",
    "caller_name": "name",
    "remote_caller_number": "number",
    "remote_caller_name": "name",
}
"""Members that name an account, and those of commands, which are written otherwise than in frames."""
_OURS: Final = CallOptions().remote_caller_name
"""The name that the protocol gives to an outbound call's far end before it is known."""
_SIP_USER: Final = re.compile(r"(?<=sip:)[^@\s<>\"]+(?=@)|(?<=sips:)[^@\s<>\"]+(?=@)")
_SHORTEST: Final = 4
"""Characters from which on a name that is known is looked for in all text; a shorter one is part of other words."""


@frozen(kw_only=True)
class Proof:
    """The result of all steps."""

    plan: Plan
    evidence: tuple[Evidence, ...]
    findings: tuple[Finding, ...]
    complete: bool
    """False: it was interrupted."""

    @property
    def failures(self) -> tuple[Evidence, ...]:
        return tuple(each for each in self.evidence if each.failure is not None)

    def count(self, verdict: str) -> int:
        return sum(finding.verdict == verdict for finding in self.findings)

    def document(self) -> JsonObject:
        """The document with personal data in it; `Strangers.value` replaces them."""
        return {
            "version": 1,
            "madeBy": f"telnyx-rtc {VERSION}",
            "complete": self.complete,
            "calls": sum(each.calls for each in self.evidence),
            "verdicts": [finding.document() for finding in self.findings],
            "steps": [each.document() for each in self.evidence],
        }


class Strangers(Pseudonyms):
    """Stand-ins that keep the form of what they stand for, so that a journal stays one that can be replayed.

    Addresses and numbers are of the blocks that are kept free for examples (RFC 5737, RFC 3849, 555-01xx).
    ``known`` are names and numbers that are hidden wherever they stand.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        super().__init__()
        self._stands: dict[tuple[str, str], str] = {}
        self._known: dict[str, str] = {}
        for value in known:
            for form in {value, value.lstrip("+"), re.sub(r"[\s()+-]", "", value)}:
                if len(form) >= _SHORTEST:
                    self._known[form] = self.name("user", value)
        longest_first = sorted(map(re.escape, self._known), key=len, reverse=True)
        self._pattern = re.compile(rf"(?<![\w])(?:{'|'.join(longest_first)})(?![\w])") if self._known else None

    def name(self, kind: str, value: str) -> str:
        if not value or value == _OURS:
            return value
        count = 1 + sum(known == kind for known, _ in self._stands)
        match kind:
            case "address":
                version = ip_address(value).version
                stand = f"2001:db8::{count:x}" if version == 6 else f"198.51.{100 + count // 256}.{count % 256}"
            case "number":
                stand = f"+1555010{count:04}"
            case _:
                stand = f"{kind}-{count}"
        return self._stands.setdefault((kind, value), stand)

    def text(self, text: str, *, numbers: bool = True) -> str:
        text = _SIP_USER.sub(lambda found: self._known.get(found[0]) or self.name("user", found[0]), text)
        if self._pattern is not None:
            text = self._pattern.sub(lambda found: self._known[found[0]], text)
        return self.addresses(text)

    def value(self, value: Json, member: str = "") -> Json:
        if isinstance(value, str):
            if value in self._known:
                return self._known[value]
            if member in _MEMBERS:
                return self.name(_MEMBERS[member], value)
            if value.startswith("{"):
                return self.detail(value)
        return super().value(value, member)

    def detail(self, detail: str) -> str:
        """A frame, written as a session writes its own, or text."""
        try:
            value = cast("Json", json.loads(detail))
        except (ValueError, RecursionError):
            return self.text(detail)
        return encode(cast("JsonObject", self.value(value))) if isinstance(value, dict) else self.text(detail)


def where_to_send() -> str:
    """A sentence."""
    try:
        urls = metadata("telnyx-rtc").get_all("Project-URL") or []
    except PackageNotFoundError:
        urls = []
    for url in urls:
        label, _, address = str(url).partition(", ")
        if label.lower() in ("issues", "tracker", "bug tracker"):
            return f"Attach it to an issue at {address}"
    return "Attach it to an issue of telnyx-rtc, where you have the package from."


def write_bundle(path: Path, proof: Proof) -> JsonObject:
    """Write the zip file, readable for its owner alone; the document in it, as it stands there. Raises `OSError`."""
    plan = proof.plan
    options = plan.options
    known = [options.login, plan.destination, plan.back, plan.caller_number]
    strangers = Strangers(value for value in known if value and not value.isalpha())
    document = strangers.value(redact(proof.document()))
    assert isinstance(document, dict), "it was one before"
    with ExitStack() as stack:
        file = stack.enter_context(os.fdopen(open_private(path, os.O_CREAT | os.O_TRUNC), "wb"))
        bundle = stack.enter_context(zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED))
        bundle.writestr("README.txt", _readme(proof, document))
        bundle.writestr("verdicts.json", json.dumps(document, indent=1, ensure_ascii=False))
        for journal in (journal for each in proof.evidence for journal in each.journals):
            hidden = journal.with_name(journal.name + ".hidden")
            hidden.write_text(_hidden(journal, strangers), encoding="utf-8")
            bundle.write(hidden, journal.name)
            page = render(read_story(hidden), outline=None, hidden=True)
            bundle.writestr(journal.with_suffix(".html").name.replace("journal", "report"), page)
    return document


def _hidden(journal: Path, strangers: Strangers) -> str:
    lines = journal.read_text(encoding="utf-8").splitlines()
    return "".join(strangers.detail(line) + "\n" for line in lines)


def _readme(proof: Proof, document: JsonObject) -> str:
    verdicts = document["verdicts"]
    assert isinstance(verdicts, list), "the document has them"
    lines = [
        "What the server does: made by 'telnyx-rtc prove'.",
        "",
        where_to_send(),
        "Passwords, tokens and keys are not in it. Numbers, names and addresses are stand-ins.",
        "",
        "verdicts.json    what is believed of the server, rule by rule, and what was seen",
        "journal-*.jsonl  what each client was told and did, for 'telnyx-rtc replay'",
        "report-*.html    the same, as a page",
        "",
    ]
    if not proof.complete:
        lines += ["It was interrupted: some steps are missing.", ""]
    steps = document["steps"]
    assert isinstance(steps, list), "the document has them"
    for step in steps:  # of the document, where secrets and people are hidden
        if isinstance(step, dict) and step["failure"] is not None:
            lines.append(f"Step {step['step']} did not come to its end: {step['failure']}")
    for verdict in verdicts:
        if isinstance(verdict, dict):
            lines.append("{rule}  {verdict:8}{claim}: {seen}".format(**{k: str(v) for k, v in verdict.items()}))
    return "\n".join(lines) + "\n"
