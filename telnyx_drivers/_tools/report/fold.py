"""Rows that repeat without anything else between them become one with a count."""

from collections.abc import Iterable, Iterator

from attrs import evolve

from telnyx_drivers._tools.report.call_timeline import Message


def folded(messages: Iterable[Message]) -> Iterator[Message]:
    held: Message | None = None
    for message in messages:
        if held is not None and (held.side, held.label, held.outward) == (message.side, message.label, message.outward):
            held = evolve(held, count=held.count + 1)
            continue
        if held is not None:
            yield held
        held = message
    if held is not None:
        yield held
