"""A call summed up for a person."""

from statistics import median
from typing import TYPE_CHECKING

from rich.panel import Panel
from rich.table import Table

from telnyx_drivers._tools.cli.conversation import Conversation
from telnyx_drivers._tools.cli.output import Output, clean
from telnyx_drivers._tools.report.call_timeline import responses
from telnyx_drivers._tools.report.facts import cause_text

if TYPE_CHECKING:
    from telnyx_drivers.diagnose.echo import Echo


def show_summary(
    output: Output, conversation: Conversation, *, title: str = "Call", echo: "Echo | None" = None
) -> None:
    """What is known of a call that took place; empty for any other. Faults follow as warnings."""
    call, timeline, report = conversation.call, conversation.timeline, conversation.report
    if not call.info.answered:
        return
    table = Table.grid(padding=(0, 3, 0, 0))
    if timeline.setup is not None:
        table.add_row("Answered", f"{1000 * timeline.setup:.0f} ms after the invite")
    if timeline.first_audio is not None:
        table.add_row("First audio", f"{1000 * timeline.first_audio:.0f} ms after the invite")
    if echo is not None:
        table.add_row("Echo", f"{echo.seconds:.1f} s, {1000 * echo.delay:.0f} ms later")
        table.add_row("Likeness", f"{100 * echo.correlation:.1f} % of the sentence that was played")
    if timeline.talked is not None:
        table.add_row("Talked", f"{timeline.talked:.1f} s")
    if waited := responses(conversation.turns):
        table.add_row("Replied", f"{1000 * median(waited):.0f} ms after they spoke, median of {len(waited)}")
    if conversation.packets is not None:
        table.add_row("Packets", "{} sent, {} received".format(*conversation.packets))
    if report is not None and report.average_mos is not None:
        table.add_row("Quality", f"{report.average_mos:.1f} of 5 (MOS, estimated)")
    if conversation.digits:
        table.add_row("Pressed", clean(conversation.digits))
    if call.ended is not None:
        table.add_row("Hung up", clean(cause_text(call.ended)))
    if conversation.recording is not None:
        table.add_row("Recording", f"{clean(str(conversation.recording))} [dim](left: you, right: the far end)[/]")
    colour = "yellow" if conversation.faults else "green"
    output.console.print(Panel(table, title=title, title_align="left", border_style=colour, expand=False))
    for fault in conversation.faults:
        output.warn(fault)
