"""The workshop itself: the fence around the core holds, the packages import light, and the names are tidy."""

import ast
import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CORE = ROOT / "telnyx_core"
DRIVERS = ROOT / "telnyx_drivers"
BANNED = sorted(tomllib.loads((CORE / "ruff.toml").read_text())["lint"]["flake8-tidy-imports"]["banned-api"])


def ruff(source: str, name: str) -> set[str]:
    """The rule codes that ruff raises for a source text, as if it stood in the file ``name`` of this repository."""
    # Beside the running Python first: an installed tool of another version would judge by other rules.
    tool = shutil.which("ruff", path=sysconfig.get_path("scripts")) or shutil.which("ruff")
    assert tool, "ruff belongs to the test extra"
    command = [tool, "check", "--no-cache", "--output-format=json", f"--stdin-filename={name}", "-"]
    run = subprocess.run(command, input=source, capture_output=True, text=True, cwd=ROOT, check=False)
    assert run.returncode in (0, 1), run.stderr
    return {found["code"] for found in json.loads(run.stdout)}


def breach(banned: str) -> str:
    """The shortest program that does what a ban forbids."""
    match banned.split("."):
        case ["datetime", kind, method]:
            return f"import datetime\n\nx = datetime.{kind}.{method}\n"
        case ["random" | "uuid" as module, function]:
            return f"import {module}\n\nx = {module}.{function}\n"
        case _:
            return f"import {banned}\n\nx = {banned}\n"


def test_every_ban_bites_in_the_core_and_only_there() -> None:
    """One run for each, so that a misspelt ban cannot hide behind its neighbours."""
    programs = [breach(banned) for banned in BANNED]
    bitten = [
        banned
        for banned, program in zip(BANNED, programs, strict=True)
        if "TID251" in ruff(program, "telnyx_core/x.py")
    ]
    assert bitten == BANNED
    assert "TID251" not in ruff("".join(programs), "telnyx_drivers/x.py")


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("print(1)\n", "T201"),
        ("x = open('f')\n", "PTH123"),
        ("from time import monotonic\n\nx = monotonic\n", "TID251"),
        ("from random import random\n\nx = random()\n", "TID251"),
        ("from uuid import uuid4\n\nx = uuid4()\n", "TID251"),
        ("from asyncio import sleep as nap\n\nx = nap\n", "TID251"),
        ("from typing import Any\n\n\ndef f(x: Any) -> None: ...\n", "ANN401"),
    ],
)
@pytest.mark.parametrize("place", ["telnyx_core/x.py", "telnyx_core/gateway/x.py"])
def test_the_fence_has_no_gap(program: str, code: str, place: str) -> None:
    assert code in ruff(program, place)


def test_an_injected_generator_passes_the_fence() -> None:
    program = "from random import Random\n\n\ndef f(rng: Random, now: float) -> float:\n    return now + rng.random()\n"
    assert ruff(program, "telnyx_core/x.py") == set()


def modules(package: Path) -> list[str]:
    names = []
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return names


def imports(path: Path) -> set[str]:
    """The top-level packages that a file names in any import, wherever it stands, also under ``TYPE_CHECKING``."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"{path}: a relative import"
            found.add(node.module.partition(".")[0])
    return found


def loaded_by(*names: str) -> set[str]:
    """The top-level packages in ``sys.modules`` of a fresh interpreter after it imported these modules."""
    program = "import sys, importlib\nfor name in sys.argv[1:]: importlib.import_module(name)\nprint(*sys.modules)"
    command = [sys.executable, "-W", "error", "-c", program, *names]
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert run.returncode == 0, run.stderr
    return {name.partition(".")[0] for name in run.stdout.split()}


PURE = [name for name in modules(CORE) if not name.startswith("telnyx_core.testing")]
# What site-packages hooks (editable installs, coverage) load before any program of ours runs is not ours.
NOT_OURS = loaded_by()
EFFECTS = {"asyncio", "socket", "ssl", "select", "selectors", "concurrent", "multiprocessing", "subprocess", "logging"}


def test_the_core_loads_only_attrs_and_the_standard_library() -> None:
    foreign = loaded_by(*PURE) - NOT_OURS - sys.stdlib_module_names
    assert foreign <= {"attr", "attrs", "telnyx_core"}


def test_the_core_loads_nothing_that_acts_on_the_world() -> None:
    assert (loaded_by(*PURE) - NOT_OURS) & EFFECTS == set()


def test_the_core_names_only_attrs_and_the_standard_library() -> None:
    for path in CORE.rglob("*.py"):
        allowed = {"attrs", "telnyx_core"} | ({"hypothesis"} if "testing" in path.parts else set())
        assert imports(path) - sys.stdlib_module_names <= allowed, path
        assert imports(path) & EFFECTS == set(), path


def test_nothing_past_the_wire_is_untyped() -> None:
    for path in CORE.rglob("*.py"):
        if path.name != "wire.py":
            tree = ast.parse(path.read_text(encoding="utf-8"))
            assert "Any" not in bound(tree), path
            assert not any(isinstance(node, ast.Attribute) and node.attr == "Any" for node in ast.walk(tree)), path


def test_the_packages_import_light() -> None:
    """Importing the drivers' package chooses neither a loop nor a media engine, and needs no extra."""
    heavy = {"aiortc", "OpenSSL", "pylibsrtp", "av", "numpy", "trio", "trio_websocket", "rich", "typer"}
    heavy |= {"httpx2", "jinja2"}
    assert loaded_by("telnyx_core", "telnyx_drivers", "telnyx_drivers._tools.cli") & heavy == set()


def test_the_two_loops_do_not_know_each_other() -> None:
    for own, other in (("asyncio", "trio"), ("trio", "asyncio")):
        path = DRIVERS / f"_{own}.py"
        if path.exists():
            assert other not in imports(path), path


@pytest.mark.parametrize("package", [CORE, DRIVERS], ids=lambda path: path.name)
def test_what_a_package_exports_exists_once(package: Path) -> None:
    for name in modules(package):
        path = ROOT.joinpath(*name.split("."))
        text = (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8")
        tree = ast.parse(text)
        for node in tree.body:
            match node:
                case ast.Assign(targets=[ast.Name(id="__all__")], value=ast.List(elts=elements)):
                    exported = [element.value for element in elements if isinstance(element, ast.Constant)]
                    assert len(set(exported)) == len(exported), name
                    assert set(exported) <= bound(tree), name


def bound(tree: ast.Module) -> set[object]:
    """The names that a module's top level binds."""
    names: set[object] = set()
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(names=aliases) | ast.Import(names=aliases):
                names |= {alias.asname or alias.name for alias in aliases}
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
            case _:
                pass
    return names


def test_both_packages_say_that_they_are_typed() -> None:
    assert (CORE / "py.typed").exists()
    assert (DRIVERS / "py.typed").exists()


def tracked() -> list[Path]:
    listing = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False
    )
    if listing.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listing.stdout.decode().split("\0") if name]


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    place = re.compile(r"(?<![\w.:/-])/(?:work|root|home|Users)/\w")
    found = []
    for path in tracked():
        if path.suffix not in {".wav", ".png"} and path.is_file():
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            found += [f"{path.name}:{number}" for number, line in enumerate(lines, 1) if place.search(line)]
    assert found == []


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_source_archive_has_every_folder_that_the_tests_read() -> None:
    included = {name.strip("/") for name in PROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]}
    folders = {path.relative_to(ROOT).parts[0] for path in tracked() if path.parent != ROOT}
    assert folders - included == {".ci"}


def test_every_python_that_is_promised_is_tried_in_ci() -> None:
    promised = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["project"]["classifiers"]))
    matrix = re.search(r"python: \[(.*)\]", (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    assert matrix is not None
    assert re.findall(r'"([^"]+)"', matrix[1]) == [*promised, "3.14t"]
    assert PROJECT["project"]["requires-python"] == f">={promised[0]}"


def test_the_readme_begins_with_two_commands() -> None:
    """What a newcomer copies first: one line that shows a call, one line that runs these tests."""
    blocks = re.findall(r"```console\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    demo, test = blocks[0].strip(), blocks[1].strip()
    assert "\n" not in demo + test
    assert demo.endswith("telnyx-rtc demo")
    assert "pytest" in test
    for command in (demo, test):
        assert command.startswith("python3 -m venv .venv && .venv/bin/pip install ")
