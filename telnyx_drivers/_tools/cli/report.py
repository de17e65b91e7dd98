"""``telnyx-rtc report``: one page about a call, from any file that describes it."""

from collections.abc import Mapping
from importlib.util import find_spec
from json import dumps as encode_json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from attrs import evolve

from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_drivers._services.debug_file import write_private
from telnyx_drivers._tools.cli.exits import Exit, UsageError
from telnyx_drivers._tools.cli.output import Output, clean
from telnyx_drivers._tools.cli.running import finish

if TYPE_CHECKING:
    from telnyx_drivers._audio.turns import Turn
    from telnyx_drivers._tools.report.call_timeline import Story
    from telnyx_drivers._tools.report.index import Row


def report(
    file: Annotated[
        Path,
        typer.Argument(
            help="A journal, a debug file, a call report (this SDK's or the JavaScript SDK's), or a final report; "
            "or a folder of them, for a page of each and an index.",
            exists=True,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The page; without it, FILE.html, and of a folder its index.html."),
    ] = None,
    recording: Annotated[Path | None, typer.Option(help="A WAV file of the call, to be drawn.")] = None,
    audio: Annotated[
        bool,
        typer.Option("--audio", help="Put the recording into the page, to be played there: voices cannot be hidden."),
    ] = False,
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
    page = out or (file / "index.html" if file.is_dir() else file.with_name(file.name + ".html"))

    def work(document: JsonObject) -> Exit:
        if audio and recording is None and not file.is_dir():
            raise UsageError("--audio: name the file with --recording.")
        if file.is_dir():
            if recording is not None or webrtc_internals is not None:
                raise UsageError("--recording and --webrtc-internals are for one call's file, not for a folder.")
            document |= make_index(file, page, hide=hide, audio=audio, output=output)
            return Exit.OK
        story = make_page(file, page, recording=recording, audio=audio, hide=hide)
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


def make_index(folder: Path, page: Path, *, hide: bool, audio: bool, output: Output) -> JsonObject:
    """A page of every file in the folder that tells of a call, with the WAV file of its name, and one of them all."""
    check_extras()
    from telnyx_drivers._tools.report.index import MOST_FILES, candidates, render_index, rows_of

    found = candidates(folder)
    rows: list[Row] = []
    passed_over: list[Json] = []
    for file in found[:MOST_FILES]:
        target = file.with_name(file.name + ".html")
        recording = next((each for each in (file.with_suffix(".wav"), Path(f"{file}.wav")) if each.is_file()), None)
        try:
            story = make_page(file, target, recording=recording, audio=audio and recording is not None, hide=hide)
        except UsageError as error:
            passed_over.append(file.name)
            output.warn(str(error))
        else:
            rows += rows_of(story, target, page.parent, hidden=hide)
    try:
        write_private(page, render_index(folder.resolve().name, rows, hidden=hide))
    except OSError as error:
        raise UsageError(f"{page} cannot be written: {error}") from None
    output.done(f"{clean(str(page))}: {len(rows)} calls")
    if len(found) > MOST_FILES:
        output.warn(f"{len(found) - MOST_FILES} files were left out: an index has {MOST_FILES} at most.")
    return {"page": str(page), "calls": [row.id for row in rows], "passed_over": passed_over}


def make_page(
    file: Path,
    page: Path,
    *,
    recording: Path | None,
    hide: bool,
    audio: bool = False,
    turns: "Mapping[str, tuple[Turn, ...]] | None" = None,
) -> "Story":
    """Read, draw and write, readable for the owner alone. ``turns`` are those of each call, by its id.

    Returns the story as the page shows it. Raises `UsageError` for what cannot be read or written.
    """
    check_extras()
    from telnyx_drivers._tools.report.hide import anonymize
    from telnyx_drivers._tools.report.page import render
    from telnyx_drivers._tools.report.read import read_story
    from telnyx_drivers._tools.report.sound import LONGEST, embedded
    from telnyx_drivers._tools.report.waveform import outline

    try:
        story = read_story(file)
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from None
    try:
        drawn = None if recording is None else outline(recording)
        sound = ""
        if audio and recording is not None and drawn is not None:
            if drawn.seconds > LONGEST:
                raise ValueError(f"longer than {LONGEST / 60:.0f} minutes")
            sound = embedded(recording)
    except (OSError, ValueError) as error:
        raise UsageError(f"{recording} cannot be drawn: {error}") from None
    if turns is not None:
        story = evolve(story, calls=tuple(evolve(call, turns=turns.get(call.id, ())) for call in story.calls))
    shown = anonymize(story) if hide else story
    try:
        write_private(page, render(shown, outline=drawn, sound=sound, hidden=hide))
    except OSError as error:
        raise UsageError(f"{page} cannot be written: {error}") from None
    return shown
