"""Writes the classes that repeat another class's commands, so that a command is written once.

    python docs/_tools/commands.py           writes them
    python docs/_tools/commands.py --check   fails where one is no longer what its original says

Made are the commands of the client without ``async``, from the client with it, and the commands of the test kit, from
`Session`. What the class above has by hand is left to it.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import indent
from typing import TypeAlias

ROOT = Path(__file__).resolve().parents[2]
Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
HEAD = '"""{}\n\nMade by docs/_tools/commands.py from `{}`: change that one, and run the tool.\n"""\n\n'
NUMBER = re.compile(r"(?<== )\d{5,}\b")


def tree(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def class_of(module: ast.Module, name: str) -> ast.ClassDef:
    return next(each for each in module.body if isinstance(each, ast.ClassDef) and each.name == name)


def names_of(owner: ast.ClassDef) -> set[str]:
    """What a class has by hand, without its other spellings of the same."""
    return {each.name for each in owner.body if isinstance(each, Function)}


def decorators(function: Function) -> set[str]:
    return {ast.unparse(each).partition("(")[0] for each in function.decorator_list}


def arguments(function: Function) -> str:
    """The arguments as they are passed on."""
    given = function.args
    passed = [each.arg for each in (*given.posonlyargs, *given.args)[1:]]
    passed += [f"*{given.vararg.arg}"] if given.vararg else []
    passed += [f"{each.arg}={each.arg}" for each in given.kwonlyargs if each.arg != "now"]
    passed += [f"**{given.kwarg.arg}"] if given.kwarg else []
    return ", ".join(passed)


def method(original: Function, body: str, decorator: str = "") -> str:
    """The method with another body; its signature and docstring stay."""
    made = ast.FunctionDef(**{name: getattr(original, name) for name in ast.FunctionDef._fields if name != "body"})
    said = indent(ast.get_docstring(original) or "", "    ").lstrip()
    made.body = [ast.Expr(ast.Constant(f"{said}\n    " if "\n" in said else said))] if said else []
    made.body += ast.parse(body).body
    made.decorator_list = [ast.Name(decorator)] if decorator else []
    return NUMBER.sub(lambda number: f"{int(number[0]):_}", ast.unparse(ast.fix_missing_locations(made)))


def members(owner: ast.ClassDef, skipped: set[str], write: Callable[[Function], str]) -> Iterator[str]:
    """Each public function of a class as it is to be written, and its other spellings."""
    written: set[str] = set()
    for each in owner.body:
        match each:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                if not name.startswith("_") and name not in skipped and "overload" not in decorators(each):
                    written.add(name)
                    yield indent(write(each), "    ") + "\n\n"
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Name(id=same)) if same in written:
                yield f"    {name} = {same}" + ("\n" if name.islower() else "  # noqa: N815\n")
            case _:
                pass


def used(text: str) -> set[str]:
    """The names that a text needs, also in annotations that are quoted."""
    found, given = set[str](), set[str]()
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Name(id=name):
                found.add(name)
            case ast.arg(arg=name, annotation=said) | ast.FunctionDef(name=name, returns=said):
                given.add(name)
                found |= set(re.findall(r"\w+", ast.unparse(said))) if said else set()
            case _:
                pass
    return found - given


def with_imports(text: str, by_hand: str, sources: dict[str, ast.Module], own: set[str]) -> str:
    """A text with the imports that it needs of those that its sources have; late ones stay late."""
    needed = used(text) - own
    always, late = by_hand.splitlines(), list[str]()

    def take(module: str, nodes: list[ast.stmt], found: list[str]) -> None:
        for node in nodes:
            match node:
                case ast.ImportFrom(module=str(origin), names=names):
                    wanted = [each.name for each in names if each.name in needed and each.asname is None]
                    found += [f"from {origin} import {each}" for each in wanted]
                case ast.Import(names=[ast.alias(name=name, asname=None)]) if name in needed:
                    found.append(f"import {name}")
                case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                    take(module, node.body, late)
                case ast.AnnAssign(target=ast.Name(id=name)) if name in needed:
                    found.append(f"from {module} import {name}")
                case _:
                    pass

    for module, source in sources.items():
        take(module, source.body, always)
    if late:
        always += ["from typing import TYPE_CHECKING", "", "if TYPE_CHECKING:", *(f"    {each}" for each in late)]
    return "\n".join(dict.fromkeys(always)) + f"\n\n\n{text}"


WRAPPED = {"Playback", "Recording", "Capture"}
"""What a command gives that is itself to be used without ``async``."""
NOT_OFFERED = {"audio", "audio_out"}
"""Objects of the loop; of what they do, `Call` has some by hand."""


def waiting(original: Function) -> str:
    """A member of the client with ``async`` as one that waits."""
    passed = arguments(original)
    command = f"self._source.{original.name}"
    if "property" in decorators(original):
        said = ast.unparse(original.body[-1])
        if "self._driver.session" in said:
            return method(original, f"return self._threads.touch(lambda: {command})", "property")
        return method(original, said if "self.info." in said else f"return {command}", "property")
    how = "self._run" if isinstance(original, ast.AsyncFunctionDef) else "self._do"
    call = f"{how}({command})" if not passed else f"{how}(lambda: {command}({passed}))"
    match original.returns:
        case ast.Constant(value=None):
            return method(original, call)
        case ast.Constant(value=str(name)) if name in WRAPPED:
            return method(original, f"return {name}(self._threads, {call})")
        case _:
            return method(original, f"return {call}")


def internal(owner: str) -> set[str]:
    """The names of a class that are public for another class alone: the page has the list."""
    page = (ROOT / "docs/reference/loops.md").read_text(encoding="utf-8")
    return set(re.findall(rf"`{owner}\.(\w+)`", page.split("which are for each other")[1].split("##")[0]))


def blocking(above: str, name: str, original: ast.ClassDef, owner: str) -> str:
    by_hand = names_of(class_of(tree("telnyx_drivers/_sync.py"), above))
    by_hand |= names_of(class_of(tree("telnyx_drivers/_blocking.py"), "Relayed"))
    body = "".join(members(original, by_hand | internal(owner) | NOT_OFFERED, waiting))
    return f'class {name}(Relayed[{original.name}, N]):\n    """The commands and members of `{above}`."""\n\n{body}'


def sync_commands() -> str:
    client, call = tree("telnyx_drivers/_client.py"), tree("telnyx_drivers/_calls.py")
    text = blocking("TelnyxRTC", "ClientCommands", class_of(client, "Client"), "client")
    text += "\n\n" + blocking("Call", "CallCommands", class_of(call, "CallHandle"), "call")
    by_hand = """
from telnyx_drivers._blocking import Capture, Playback, Recording, Relayed
from telnyx_drivers._calls import CallHandle
from telnyx_drivers._client import Client
from telnyx_drivers._listening import N"""
    sources = {"telnyx_drivers._client": client, "telnyx_drivers._calls": call}
    head = HEAD.format("The commands of the client and of a call, without ``async``.", "Client` and `CallHandle")
    return head + with_imports(text, by_hand, sources, WRAPPED)


def given_now(original: Function) -> str:
    """A command of `Session` at the present time of a virtual clock."""
    passed = arguments(original)
    kept = [(each, default) for each, default in zip(original.args.kwonlyargs, original.args.kw_defaults, strict=True)]
    original.args.kwonlyargs = [each for each, _ in kept if each.arg != "now"]
    original.args.kw_defaults = [default for each, default in kept if each.arg != "now"]
    returns = ast.unparse(original.returns) if original.returns else ""
    how = "self._ticket" if returns == "Ticket" else "self._ask"
    call = f"{how}(lambda now: self.session.{original.name}({passed}{', ' if passed else ''}now=now))"
    original.body = original.body[1:]  # `Session` has the docstring
    return method(original, call if returns == "None" else f"return {call}")


def kit_commands() -> str:
    module = tree("telnyx_core/session.py")
    session = class_of(module, "Session")
    commands = {each.name for each in session.body if isinstance(each, Function) and "now" in ast.unparse(each.args)}
    others = names_of(session) - commands | {"receive", "handle_timeout", "hand_uploads_over", "new_call"}
    text = 'class Commands(Asking):\n    """As the methods of `Session`, without ``now``."""\n\n'
    text += "".join(members(session, others, given_now))
    head = HEAD.format("The commands of a session on a virtual clock.", "Session")
    return head + with_imports(text, "from telnyx_core.testing.asking import Asking", {"": module}, set())


MADE: dict[str, Callable[[], str]] = {
    "telnyx_drivers/_sync_commands.py": sync_commands,
    "telnyx_core/testing/commands.py": kit_commands,
}


def stale() -> list[str]:
    """The files that are no longer what their originals say. How they are laid out does not count."""

    def essence(text: str) -> set[str]:
        found = set[str]()
        for node in ast.parse(text).body:
            match node:
                case ast.ImportFrom() | ast.If():
                    statements = (each for each in ast.walk(node) if isinstance(each, ast.ImportFrom))
                    found |= {f"{each.module} {name.name}" for each in statements for name in each.names}
                case _:
                    found.add(ast.unparse(node))
        return found

    made = {path: (make(), (ROOT / path).read_text(encoding="utf-8")) for path, make in MADE.items()}
    return [path for path, (wanted, present) in made.items() if essence(wanted) != essence(present)]


def main() -> None:
    if "--check" in sys.argv:
        if found := stale():
            sys.exit(f"no longer what the originals say: {', '.join(found)}: run docs/_tools/commands.py")
        return
    for path, make in MADE.items():
        (ROOT / path).write_text(make(), encoding="utf-8")
        for task in (["check", "--quiet", "--select", "I,UP", "--fix"], ["format", "--quiet"]):
            subprocess.run([sys.executable, "-m", "ruff", *task, str(ROOT / path)], check=True)


if __name__ == "__main__":
    main()
