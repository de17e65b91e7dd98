"""``telnyx-rtc report``: one page about a call, from any file that describes it."""

from collections.abc import Mapping
from importlib.util import find_spec
from json import dumps as encode_json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from attrs import evolve

from telnyx_core._wire.json_types import JsonObject
from telnyx_drivers._services.debug_file import write_private
from telnyx_drivers._tools.cli.exits import Exit, UsageError
from telnyx_drivers._tools.cli.output import Output, clean
from telnyx_drivers._tools.cli.running import finish

if TYPE_CHECKING:
    from telnyx_drivers._audio.turns import Turn
    from telnyx_drivers._tools.report.call_timeline import Story


def report(
    file: Annotated[
        Path,
        typer.Argument(
            help="A journal, a debug file, a call report (this SDK's or the JavaScript SDK's), or a final report.",
            exists=True,
            dir_okay=False,
        ),
    ],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The page; without it, FILE.html.")] = None,
    recording: Annotated[Path | None, typer.Option(help="A WAV file of the call, to be drawn.")] = None,
    hide: Annotated[
        bool,
        typer.Option(
            "--hide-people/--show-people",
            help="Replace numbers, names and addresses. Passwords, tokens and keys are never on the page.",
        ),
    ] = True,
    webrtc_internals: Annotated[
        Path | None,
        typer.Option(help="Write a dump as of chrome://webrtc-internals as well; people are not hidden in it."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on the last line of stdout.")] = False,
) -> None:
    """Make one HTML page of a call, which needs no network and no other file."""
    output = Output(json=json)
    page = out or file.with_name(file.name + ".html")

    def work(document: JsonObject) -> Exit:
        story = make_page(file, page, recording=recording, hide=hide)
        if webrtc_internals is not None:
            _write_dump(file, webrtc_internals)
        for remark in story.remarks:
            output.warn(remark)
        output.done(f"{clean(str(page))}")
        document |= {
            "page": str(page),
            "source": story.source,
            "calls": [call.id for call in story.calls],
            "samples": sum(len(call.samples) for call in story.calls),
            "messages": len(story.messages),
        }
        return Exit.OK

    finish(output, work)


def _write_dump(file: Path, out: Path) -> None:
    from telnyx_drivers._tools.export.webrtc_internals import dump_file

    try:
        dump = dump_file(file)
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} has not what a dump needs: {error}") from None
    try:
        write_private(out, encode_json(dump, indent=1))
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error}") from None


def check_extras() -> None:
    """Raises `UsageError` where a page cannot be made."""
    missing = [name for name in ("jinja2", "numpy") if find_spec(name) is None]
    if missing:
        raise UsageError(f"pages need {' and '.join(missing)}: pip install 'telnyx-rtc[report,media]'")


def make_page(
    file: Path, page: Path, *, recording: Path | None, hide: bool, turns: "Mapping[str, tuple[Turn, ...]] | None" = None
) -> "Story":
    """Read, draw and write, readable for the owner alone. ``turns`` are those of each call, by its id.

    Raises `UsageError` for what cannot be read or written.
    """
    check_extras()
    from telnyx_drivers._tools.report.hide import anonymize
    from telnyx_drivers._tools.report.page import render
    from telnyx_drivers._tools.report.read import read_story
    from telnyx_drivers._tools.report.waveform import outline

    try:
        story = read_story(file)
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from None
    try:
        drawn = None if recording is None else outline(recording)
    except (OSError, ValueError) as error:
        raise UsageError(f"{recording} cannot be drawn: {error}") from None
    if turns is not None:
        story = evolve(story, calls=tuple(evolve(call, turns=turns.get(call.id, ())) for call in story.calls))
    shown = anonymize(story) if hide else story
    try:
        write_private(page, render(shown, outline=drawn, hidden=hide))
    except OSError as error:
        raise UsageError(f"{page} cannot be written: {error}") from None
    return story
