"""The workshop's tasks. `nox -l` lists them; `.ci/run` does all that matters in one go."""

import json
from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "tests"]
nox.options.error_on_missing_interpreters = False
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
MESSAGES = ("fuzz/json.dict", "fuzz/corpus")
DESCRIPTIONS = ("fuzz/sdp.dict", "tests/media/sdp_corpus")
FUZZED = {
    "fuzz_session": MESSAGES,
    "fuzz_recorded": MESSAGES,
    "fuzz_wire": MESSAGES,
    "fuzz_sdp": DESCRIPTIONS,
    "fuzz_udp": ("fuzz/udp.dict", "fuzz/udp_corpus"),
    "fuzz_http": ("fuzz/http.dict", "fuzz/http_corpus"),
    "fuzz_ice": ("fuzz/udp.dict", "fuzz/ice_corpus"),
}
"""Each harness with its words and what it begins with."""
NEWEST = (
    *("websockets", "pylibsrtp", "pyopenssl", "cryptography", "aiortc", "aioice", "ifaddr", "av", "anyio", "trio"),
    *("trio-websocket", "httpx2", "attrs"),
)
"""What the bounds hold back, or what reaches into a call."""


@nox.session
def lint(session: nox.Session) -> None:
    """Style, imports, the fence around the core, and spelling."""
    session.install("ruff>=0.17,<0.18", "typos>=1.30")
    session.run("typos")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("python", "docs/_tools/commands.py", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Two independent readers."""
    session.install(".[all,dev]")
    session.run("mypy")
    session.run("pyright", "--pythonpath", str(Path(session.virtualenv.bin) / "python"))


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Every test, with the core's coverage gate. Arguments go to pytest."""
    session.install(".[test]")
    gate = [] if session.posargs else ["--cov", "--cov-report=term-missing:skip-covered"]
    session.run("python", "-m", "pytest", *gate, *session.posargs)


@nox.session
def nightly(session: nox.Session) -> None:
    """Ten thousand examples of the worlds, or some slices (`SLICES=4-9 nox -s nightly`); histories of audio by the
    thousand. Arguments go to pytest.
    """
    session.install(".[test]")
    histories = ["tests/audio/test_histories.py", "tests/audio/test_leg_time.py"]
    session.run("python", "-m", "pytest", "-q", "tests/world", *histories, *session.posargs, env={"WORLD": "nightly"})


@nox.session
def newest(session: nox.Session) -> None:
    """Every test with the newest of everything, pre-releases too: what the bounds in pyproject.toml will meet next."""
    session.install(".[test]")
    session.install("--upgrade", "--pre", *NEWEST)
    session.run("python", "-m", "pytest", "-q", *session.posargs)


@nox.session
def lowest(session: nox.Session) -> None:
    """The tests of media with the lowest version of each library that the `media` extra allows."""
    media = nox.project.load_toml("pyproject.toml")["project"]["optional-dependencies"]["media"]
    session.install(".[test]", *(each.partition(",")[0].replace(">=", "==") for each in media))
    session.run("python", "-m", "pytest", "-q", "tests/media", *session.posargs)


@nox.session
def mutants(session: nox.Session) -> None:
    """Sow bugs in a copy of the core and see that the worlds find each. Arguments pick some, by word or number."""
    session.install(".[test]")
    session.run("python", "-m", "tests.mutants.run", *session.posargs)


@nox.session
def mutation(session: nox.Session) -> None:
    """Change sixty lines of core and drivers at random and see that tests fail: `nox -s mutation -- --seed 7`."""
    session.install(".[test]", "cosmic-ray>=8.4")
    session.run("python", "-m", "tests.mutants.sample", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Every harness of fuzz/, each for a minute, or for so many seconds as the argument says. Linux only."""
    session.install("-e", ".[fuzz]")
    seconds = session.posargs[0] if session.posargs else "60"
    for harness in sorted(Path("fuzz").glob("fuzz_*.py")):
        words, corpus = FUZZED[harness.stem]
        findings = Path(session.create_tmp()) / harness.stem
        findings.mkdir(exist_ok=True)
        session.run("python", str(harness), f"-dict={words}", f"-max_total_time={seconds}", str(findings), corpus)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; warnings are errors."""
    session.install(".[docs]")
    session.run("sphinx-build", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html")


@nox.session
def build(session: nox.Session) -> None:
    """Build the wheel and the source archive, and import the wheel with no extra installed."""
    session.install("build")
    target = session.create_tmp()
    session.run("python", "-m", "build", "--outdir", target)
    (wheel,) = Path(target).glob("*.whl")
    session.install("--force-reinstall", str(wheel))
    session.chdir(target)
    session.run("python", "-c", "import telnyx_core, telnyx_drivers._tools.cli")


@nox.session
def demo(session: nox.Session) -> None:
    """A real call to the embedded gateway, measured."""
    session.install(".[media,cli]")
    output = session.run("telnyx-rtc", "demo", "--json", silent=True) or ""
    session.log(json.dumps(json.loads(output.splitlines()[-1]), indent=2))
