"""Measures the code: what is public, what imports what, how much is explained, how many files a frame passes.

    python docs/_tools/measure.py [CHECKOUT ...]

prints one column of figures for each checkout, this one by default. Nothing of a checkout is imported but for the walk
of one frame, which runs in a process of its own.
"""

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

CORE, DRIVERS = "telnyx_core", "telnyx_drivers"
GUARD = re.compile(r"\bstate\b(?:\.\w+)? (?:is|is not|in|not in|==|!=) ")
PRIVATE_REACH = re.compile(r"(?<!self)(?<!cls)\._[a-z]\w*")


def modules(root: Path, package: str) -> dict[str, Path]:
    """Each module's dotted name with its file."""
    found: dict[str, Path] = {}
    for path in sorted((root / package).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def lines(paths: Iterator[Path] | list[Path]) -> int:
    return sum(path.read_text(encoding="utf-8").count("\n") for path in paths)


def is_private(name: str) -> bool:
    return any(part.startswith("_") and part != "__main__" for part in name.split("."))


def arrows(root: Path, package: str) -> set[tuple[str, str]]:
    """Which module of a package imports which other one of it."""
    known = modules(root, package)
    found: set[tuple[str, str]] = set()
    for name, path in known.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.ImportFrom(module=str(source), names=names):
                    targets = [
                        f"{source}.{each.name}" if f"{source}.{each.name}" in known else source for each in names
                    ]
                case ast.Import(names=names):
                    targets = [each.name for each in names]
                case _:
                    continue
            found |= {(name, target) for target in targets if target in known and target != name}
    return found


def circles(edges: set[tuple[str, str]]) -> set[str]:
    """Modules that stand in a circle of imports."""
    following: dict[str, set[str]] = {}
    for source, target in edges:
        following.setdefault(source, set()).add(target)

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = list(following.get(start, ()))
        while waiting:
            each = waiting.pop()
            if each not in seen:
                seen.add(each)
                waiting += following.get(each, ())
        return seen

    return {each for each in following if each in reached(each)}


def room(name: str) -> str:
    """A module's folder, or the module itself where it lies in the root."""
    return ".".join(name.split(".")[:2])


def classes_of(path: Path, base: str | None = None) -> list[ast.ClassDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [each for each in tree.body if isinstance(each, ast.ClassDef) and not each.name.startswith("_")]


def union_members(path: Path, name: str) -> int:
    """How many classes a closed union of a module has."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    members: dict[str, ast.expr] = {}
    for node in tree.body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value):
                members[target] = value
            case ast.Assign(targets=[ast.Name(id=target)], value=value):
                members[target] = value
            case _:
                pass

    def count(expression: ast.expr) -> int:
        match expression:
            case ast.BinOp(left=left, right=right):
                return count(left) + count(right)
            case ast.Name(id=each) if each in members:
                return count(members[each])
            case _:
                return 1

    return count(members[name])


def public_methods(path: Path, name: str) -> int:
    found = next(each for each in classes_of(path) if each.name == name)
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return sum(isinstance(each, functions) and not each.name.startswith("_") for each in found.body)


def ratios(paths: list[Path]) -> tuple[float, float]:
    """Comment lines and docstring lines, to lines of code."""
    comments = docstrings = code = 0
    for path in paths:
        text = path.read_text(encoding="utf-8")
        with_text = {number for number, line in enumerate(text.split("\n"), 1) if line.strip()}
        of_comments: set[int] = set()
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT and token.line.strip().startswith("#"):
                of_comments.add(token.start[0])
        of_docstrings: set[int] = set()
        for node in ast.walk(ast.parse(text)):
            if (
                isinstance(node, ast.Expr)
                and isinstance(node.value, ast.Constant)
                and isinstance(node.value.value, str)
            ):
                of_docstrings |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        comments += len(of_comments)
        docstrings += len(of_docstrings & with_text)
        code += len(with_text - of_comments - of_docstrings)
    return comments / code, docstrings / code


def exported(path: Path) -> int:
    """Names that a door lists in ``__all__``, those that it shares with other doors included."""
    count = 0
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case (
                ast.Assign(targets=[ast.Name(id="__all__")], value=ast.List(elts=names))
                | ast.AnnAssign(target=ast.Name(id="__all__"), value=ast.List(elts=names))
                | ast.AugAssign(target=ast.Name(id="__all__"), value=ast.List(elts=names))
            ):
                count += len(names)
            case ast.AugAssign(target=ast.Name(id="__all__"), value=ast.Attribute(value=ast.Name(id=module))):
                count += exported(path.with_name(f"{module}.py"))
            case _:
                pass
    return count


def frame_walk(root: Path) -> int:
    """Files of the core that one inbound ``answer`` passes through, counted while it is handled."""
    script = Path(__file__).with_name("frame_walk.py")
    done = subprocess.run(
        [sys.executable, str(script), str(root)], capture_output=True, text=True, check=False, cwd=root
    )
    return int(done.stdout) if done.returncode == 0 else -1


def without_test(root: Path) -> int:
    """Modules of the core, kit and gateway left out, that no test module is named after."""
    tests = {path.stem.removeprefix("test_") for path in (root / "tests").rglob("test_*.py")}
    kit = (f"{CORE}.testing", f"{CORE}.gateway")
    names = [name for name, path in modules(root, CORE).items() if path.stem != "__init__" and not name.startswith(kit)]
    return sum(not any(name.rpartition(".")[2] in each for each in tests) for name in names)


def figures(root: Path) -> dict[str, object]:
    core, drivers = modules(root, CORE), modules(root, DRIVERS)
    core_files, driver_files = list(core.values()), list(drivers.values())
    edges = arrows(root, CORE)
    test_texts = [
        path.read_text(encoding="utf-8") for path in (root / "tests").rglob("*.py") if "node_modules" not in path.parts
    ]
    reach = [
        sum(len(PRIVATE_REACH.findall(line)) for line in text.split("\n") if not line.startswith(("from ", "import ")))
        for text in test_texts
    ]
    comments, docstrings = ratios(core_files)
    kit = [path for name, path in core.items() if name.startswith((f"{CORE}.testing", f"{CORE}.gateway"))]
    inner = [path for path in core_files if path not in kit]
    loops = [path for path in driver_files if len(path.relative_to(root).parts) == 2]
    sizes = Counter({str(path.relative_to(root)): lines([path]) for path in core_files + driver_files})
    largest, most = sizes.most_common(1)[0]
    between = len({(room(source), room(target)) for source, target in edges if room(source) != room(target)})
    return {
        "modules, and those private by name": f"{len(core) + len(drivers)}, {sum(map(is_private, [*core, *drivers]))}",
        "names in the door of the core": exported(root / CORE / "__init__.py"),
        "names in the door of an application": exported(root / DRIVERS / "asyncio.py"),
        "public methods of Session": public_methods(root / CORE / "session.py", "Session"),
        "actions, facts": ", ".join(
            str(union_members(root / CORE / f"{each.lower()}s.py", each)) for each in ("Action", "Fact")
        ),
        "guards by state in the core": sum(len(GUARD.findall(path.read_text(encoding="utf-8"))) for path in inner),
        "comments to code, docstrings to code (core)": f"{comments:.3f}, {docstrings:.2f}",
        "files of the core that one answer passes": frame_walk(root),
        "modules in the core's root": sum(
            len(name.split(".")) == 2 and path.stem != "__init__" for name, path in core.items()
        ),
        "import arrows in the core, between its rooms": f"{len(edges)}, {between}",
        "modules in circles (core, drivers)": f"{len(circles(edges))}, {len(circles(arrows(root, DRIVERS)))}",
        "lines: core, its kit and gateway, drivers": f"{lines(inner)}, {lines(kit)}, {lines(driver_files)}",
        "loops and face to core": f"{lines(loops) / lines(inner):.2f}",
        "files under 45 lines": sum(0 < size < 45 for name, size in sizes.items() if not name.endswith("__init__.py")),
        "largest file": f"{largest} ({most})",
        "lines of tests": lines([path for path in (root / "tests").rglob("*.py") if "node_modules" not in path.parts]),
        "private reach in tests, files with it": f"{sum(reach)}, {sum(map(bool, reach))}",
        "modules of the core without a test module": without_test(root),
    }


def main(roots: list[Path]) -> None:
    columns = [figures(root) for root in roots]
    width = max(map(len, columns[0]))
    for name in columns[0]:
        print(f"{name:{width}}", *(f"{column[name]!s:>28}" for column in columns))


if __name__ == "__main__":
    main([Path(each) for each in sys.argv[1:]] or [Path(__file__).parents[2]])
