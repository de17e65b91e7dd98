"""What ``--help`` of each command ends with: lines to copy, and what its exit status means."""

from typing import Final

from attrs import frozen
from rich.markup import escape

from telnyx_drivers._tools.cli.exits import Exit


@frozen
class Usage:
    examples: tuple[str, ...]
    exits: tuple[Exit, ...]

    @property
    def epilog(self) -> str:
        """In rich's markup; Typer keeps a blank line as the end of a line, and joins the rest."""
        lines = ["[bold]Examples[/]", *(escape(example) for example in self.examples)]
        lines += ["", "[bold]Exit status[/]", *(f"{status.value} {_MEANINGS[status]}" for status in self.exits)]
        return "\n\n".join(lines)


_MEANINGS: Final = {
    Exit.OK: "done",
    Exit.FAILED: "failed: not reached, refused, or the call did not come about",
    Exit.USAGE: "the command line, a file or the environment is wrong; nothing was tried",
    Exit.DEGRADED: "done, but degraded: dead air, a part cut off, or a check that failed",
    Exit.INTERRUPTED: "interrupted; calls were hung up and files finished first",
}
_CALLS: Final = tuple(Exit)
_FILES: Final = (Exit.OK, Exit.USAGE)

USAGES: Final = {
    "demo": Usage(("telnyx-rtc demo", "telnyx-rtc demo --record echo.wav --json"), _CALLS),
    "call": Usage(
        (
            "telnyx-rtc call +15550100 --from +15550199 --play hello.wav --record call.wav",
            "telnyx-rtc call +15550100 --mic default --speaker default --region eu",
            "telnyx-rtc call +15550100 --dtmf 1,2# --dtmf-via rtp --duration 20 --expect-audio --min-mos 3.8 --json",
            "telnyx-rtc --profile staging call sip:bob@example.com --relay --report call.html -v",
        ),
        _CALLS,
    ),
    "listen": Usage(
        (
            "telnyx-rtc listen --play greeting.wav --record-dir calls",
            "telnyx-rtc listen --mic default --speaker default --no-record",
            "telnyx-rtc listen --reject --count 1 --json",
        ),
        _CALLS,
    ),
    "talk": Usage(
        (
            "telnyx-rtc talk assistant-1234 --say 'What are your opening hours?'",
            "telnyx-rtc talk assistant-1234 --mic default --speaker default --record talk.wav",
        ),
        _CALLS,
    ),
    "phone": Usage(
        ("telnyx-rtc phone --mic default --speaker default", "telnyx-rtc phone +15550100 --from +15550199"), _CALLS
    ),
    "watch": Usage(("telnyx-rtc watch ~/.telnyx-desk",), (Exit.OK, Exit.FAILED, Exit.USAGE)),
    "load": Usage(
        (
            "telnyx-rtc load --cps 5 --concurrency 40 --html load.html",
            "telnyx-rtc load --find --concurrency 500 --json",
        ),
        _CALLS,
    ),
    "gateway": Usage(
        ("telnyx-rtc gateway --user alice --user bob --port 8765", "telnyx-rtc gateway --users-file users.env --json"),
        (Exit.OK, Exit.USAGE, Exit.INTERRUPTED),
    ),
    "diagnose": Usage(
        (
            "telnyx-rtc diagnose --local",
            "telnyx-rtc diagnose --credentials-file login.env --ice-server stun:stun.telnyx.com:3478",
            "telnyx-rtc diagnose --relay --to +15550100 --seconds 10 --json",
        ),
        _CALLS,
    ),
    "prove": Usage(
        ("telnyx-rtc prove --local", "telnyx-rtc prove --from +15550199 --only servers --only talk --yes"), _CALLS
    ),
    "report": Usage(
        (
            "telnyx-rtc report call.journal --recording call.wav --audio -o call.html",
            "telnyx-rtc report . --show-people",
        ),
        _FILES,
    ),
    "replay": Usage(("telnyx-rtc replay call.journal",), (Exit.OK, Exit.FAILED, Exit.USAGE)),
    "token": Usage(
        (
            "telnyx-rtc token --list",
            "telnyx-rtc token --create CONNECTION_ID --name my-bot --env-file login.env",
            'eval "$(telnyx-rtc token --credential CREDENTIAL_ID)"',
        ),
        (Exit.OK, Exit.FAILED, Exit.USAGE),
    ),
    "explain": Usage(("telnyx-rtc explain 45001", "telnyx-rtc explain HIGH_JITTER --json"), _FILES),
}
