"""The harnesses of fuzz/ run on their own seeds: one that breaks by itself finds nothing, and that goes unseen."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SEEDS = 3
"""Of each corpus, from its beginning to its end; the shortest do least."""

PROGRAM = """
    import contextlib, re, runpy, sys, types
    from pathlib import Path

    atheris = types.ModuleType("atheris")
    atheris.instrument_imports = lambda **include: contextlib.nullcontext()
    atheris.enabled_hooks = types.SimpleNamespace(add=lambda name: None)

    def set_up(arguments, one_input, **more):
        atheris.one_input = one_input

    def fuzz():
        for seed in seeds:
            atheris.one_input(seed.read_bytes())

    atheris.Setup, atheris.Fuzz = set_up, fuzz
    sys.modules["atheris"] = atheris
    for harness in sorted(Path("fuzz").glob("fuzz_*.py")):
        corpus = re.search(r"-max_total_time=[0-9]+ .*?(\\S+)$", harness.read_text(), re.M)[1]
        every = [path for path in sorted(Path(corpus).iterdir()) if path.suffix != ".md"]
        seeds = every[:: max(1, len(every) // %d)]
        assert seeds
        runpy.run_path(str(harness), run_name="__main__")
        print(harness.stem)
"""


@pytest.mark.net
@pytest.mark.media
@pytest.mark.slow
def test_every_harness_runs_on_its_seeds() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM) % SEEDS],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == sorted(path.stem for path in (ROOT / "fuzz").glob("fuzz_*.py"))
