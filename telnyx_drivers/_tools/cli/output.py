"""Output for two readers: a person, and a script that asked for ``--json``."""

import io
import json
import sys
from collections.abc import Iterable, Mapping

from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.segment import Segment
from rich.status import Status

from telnyx_core._wire.json_types import Json


class Terminal(Console):
    """Prints no foreign control characters, whatever their source: a file, a server, a caller."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            ours = segment.control or segment.text.isprintable()
            yield segment if ours else Segment(visible(segment.text), segment.style)


class Output:
    """Everything that a command prints.

    People read ``console``: standard output, or standard error once a script has asked for the document. Warnings and
    errors always go to standard error.
    """

    def __init__(self, *, json: bool) -> None:
        self.json = json
        self._emitted = False
        self._warned = ""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # a narrow code page costs a character, not the command
        self.errors = Terminal(stderr=True, highlight=False)
        self.console = self.errors if json else Terminal(highlight=False)

    def say(self, text: str) -> None:
        """One line of rich's markup; what came from elsewhere must have gone through `clean`."""
        # The terminal breaks lines, not rich: a line in a log stays one line.
        self.console.print(text, soft_wrap=True)

    def done(self, text: str) -> None:
        self.say(f"[green]✓[/] {text}")

    def working(self, text: str) -> Status:
        """While entered, shows that something takes its time; nothing where there is no terminal."""
        return self.console.status(clean(text))

    def warn(self, text: str) -> None:
        """Print a warning, but once for a row of equal ones: a server that is down is tried again and again."""
        if text != self._warned:
            self._warned = text
            self.errors.print(f"[yellow]Warning:[/] {clean(text)}", soft_wrap=True)

    def error(self, text: str) -> None:
        self.errors.print(f"[red]Error:[/] {clean(text)}", soft_wrap=True)

    def emit(self, document: Mapping[str, Json]) -> None:
        """The one JSON document, on one line, the last of standard output; nothing unless ``--json`` was given.

        Only the first call counts: a command that has to tell something at its start has said all with it.
        """
        if self.json and not self._emitted:
            self._emitted = True
            # Half an emoji in a name, or a code page without it, must not cost the document.
            sys.stdout.write(json.dumps(document, ensure_ascii=True, allow_nan=False) + "\n")
            sys.stdout.flush()


def clean(text: str) -> str:
    """Foreign text made safe to print: a caller's name must not colour, move or clear the terminal."""
    return escape(visible(text).replace("\n", "\N{REPLACEMENT CHARACTER}"))


def visible(text: str) -> str:
    """Without control characters, marks of direction and halves of characters; lines stay lines."""
    return "".join(
        character if character.isprintable() or character == "\n" else "\N{REPLACEMENT CHARACTER}" for character in text
    )
