"""Write docs/reference/events.md from telnyx_core/events.py: ``python docs/_tools/events.py`` in the project's root."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from telnyx_core import events

PAGE = Path(__file__).parents[1] / "reference" / "events.md"

HEAD = """\
# Events

<!-- Written by docs/_tools/events.py from telnyx_core/events.py; change it there. -->

What a client tells the application. A handler takes the event, or nothing, and may be `async`; the names are those of
the JavaScript SDK, where it has the event. Three ways to hear them, on asyncio and on trio:

```python
from telnyx_drivers.asyncio import events  # or telnyx_drivers.trio; the classes are those of telnyx_core.events

@client.on(events.StatsFrame)  # or its name: client.on("telnyx.stats.frame")
def measured(frame: events.StatsFrame) -> None: ...

frame = await client.wait_for(events.StatsFrame, timeout=10)

async for event in client.events():  # all of them, in order
    ...
```

Each has a `timestamp`, epoch seconds, at which the client was told of it.

`call.on`, `call.wait_for` and `call.events` hear what is about that call alone. The blocking client has `on` and
`wait_for`. A handler that raises costs nothing but itself: the exception goes to the log at ERROR, with its traceback.

"""

COMMON = {
    "session_id": "The server's id of the session; `None` before the first login.",
    "call": "The id of the call that it is about.",
    "socket": "The socket, by its number.",
    "code": "The number in the catalogue: [errors and warnings](errors.md).",
    "name": "The name in the catalogue.",
    "message": "What happened, in a sentence.",
    "fatal": "True: what it names is over, and nothing more is done for it.",
    "voice_sdk_id": "The id that the server gave to this connection.",
    "type": "The `type` that the JavaScript SDK gives to such a notification.",
    "ice_connection_state": "By the words of W3C WebRTC, as `connected`.",
    "ice_gathering_state": "By the words of W3C WebRTC, as `complete`.",
    "signaling_state": "By the words of W3C WebRTC, as `stable`.",
}
"""What a member of this name is, in every event that does not say it itself."""

VALUES = ("CallInfo", "Cause", "WarningCount", "TranscriptItem")
"""Not events: what they carry."""

EXAMPLES = {
    "Ready": 'print("registered in", event.region)',
    "ErrorRaised": 'print(event.code, event.message, *event.error.solutions, sep="\\n  ")',
    "WarningRaised": "print(event.code, event.name, dict(event.details))",
    "CallUpdated": "print(event.call.id, event.call.previous.value, event.call.state.value)",
    "ParticipantData": 'print("with", event.display_name, event.display_number)',
    "ServerEvent": "print(dict(event.params))",
    "UserMediaError": "print(event.error.message)",
    "MediaRecovery": 'print("sound again" if event.recovered else event.reason)',
    "PeerConnectionFailure": "print(event.warning.message)",
    "MediaStarted": 'print("first audio of", event.call)',
    "StatsFrame": "print(event.mos, event.rtt, event.packet_loss)",
    "StatsReport": "print(event.duration, event.average_mos, event.quality)",
    "IceServerFailed": "print(event.url, event.code, event.reason)",
    "DigitReceived": "print(event.digit, event.duration)",
    "ToneChanged": "print(event.kind, event.action)",
    "SocketOpen": 'print("connected", event.socket)',
    "SocketClose": "print(event.code, event.reason, event.was_clean)",
    "SocketError": "print(event.reason)",
    "SocketMessage": "print(event.size)",
    "FrameIgnored": "print(event.reason)",
    "AiConversation": 'print(event.params.get("type"))',
    "TranscriptUpdated": "print(event.item.role, event.item.content)",
    "SessionClosed": "print(event.reason.value)",
}
"""The body of a handler of each; a test runs them."""


def prose(text: str) -> str:
    """A docstring as Markdown."""
    return text.replace("``", "`")


def members(tree: ast.ClassDef) -> Iterator[tuple[str, str, str]]:
    """Name, type and meaning of each member that an application reads."""
    for node, following in zip(tree.body, [*tree.body[1:], None], strict=True):
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation):
                match following:
                    case ast.Expr(value=ast.Constant(value=str() as text)):
                        meaning = inspect.cleandoc(text)
                    case _:
                        meaning = COMMON[name]
            case ast.FunctionDef(name=name, returns=ast.expr() as annotation):
                meaning = ast.get_docstring(node) or COMMON[name]
                name += "" if node.decorator_list else "()"
            case _:
                continue
        yield name, ast.unparse(annotation), " ".join(prose(meaning).split())


def table(tree: ast.ClassDef) -> str:
    rows = [f"| `{name}` | `{kind.replace('|', chr(92) + '|')}` | {text} |" for name, kind, text in members(tree)]
    return "\n".join(["| member | type | |", "|---|---|---|", *rows]) + "\n\n"


def summary(tree: ast.ClassDef) -> str:
    """The class's docstring."""
    text = ast.get_docstring(tree)
    assert text, tree.name
    return f"{prose(text)}\n\n"


def section(kind: type[events.Event], tree: ast.ClassDef) -> str:
    name = kind.__name__
    example = textwrap.indent(EXAMPLES[name], "    ")
    handler = f"@client.on(events.{name})\ndef {handler_name(name)}(event: events.{name}) -> None:\n{example}"
    return (
        f"## {name}\n\nDelivered as `{events.EVENT_NAMES[kind]}`.\n\n"
        f"{summary(tree)}{table(tree)}```python\n{handler}\n```\n\n"
    )


def handler_name(name: str) -> str:
    return "on_" + re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def page() -> str:
    tree = ast.parse(inspect.getsource(events))
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    contents = "".join(
        f"| `{name}` | [{kind.__name__}](#{kind.__name__.lower()}) |\n" for kind, name in events.EVENT_NAMES.items()
    )
    values = "".join(f"## {name}\n\n{summary(classes[name])}{table(classes[name])}" for name in VALUES)
    sections = "".join(section(kind, classes[kind.__name__]) for kind in events.EVENT_NAMES)
    return f"{HEAD}| name | event |\n|---|---|\n{contents}\n{sections}{values}".rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
