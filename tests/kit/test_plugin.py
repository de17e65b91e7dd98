"""The pytest plugin: what it costs a run that does not use it, and what a project does with it."""

import os
import shutil
import subprocess
import sys
import tomllib
import wave
from importlib.metadata import entry_points
from importlib.resources import as_file
from pathlib import Path
from xml.etree import ElementTree

import pytest

from telnyx_drivers._assets import HELLO

ROOT = Path(__file__).parents[2]
SAMPLE = Path(__file__).parent / "sample"
NAME, MODULE = "telnyx-rtc", "telnyx_drivers._pytest_plugin"


def pytest_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest there; in an environment that was installed before the plugin came, name it."""
    installed = any(each.name == NAME for each in entry_points(group="pytest11"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "filterwarnings=error"]
    given = [] if installed else ["-p", MODULE]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [*command, *given, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )


def test_the_plugin_is_an_entry_point() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {NAME: MODULE}


def test_it_loads_nothing_where_it_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text(
        "import sys\n"
        "def test_loaded():\n"
        "    loaded = {name for name in sys.modules if name.startswith('telnyx_')}\n"
        f"    assert loaded == {{'telnyx_drivers', {MODULE!r}}}\n",
        encoding="utf-8",
    )
    done = pytest_in(tmp_path)
    assert done.returncode == 0, done.stdout


def cut(target: Path, start: float, end: float) -> None:
    """A piece of the sentence that comes with the package, in seconds."""
    with as_file(HELLO) as hello, wave.open(str(hello)) as source, wave.open(str(target), "wb") as out:
        out.setparams(source.getparams())
        rate = source.getframerate()
        source.setpos(round(start * rate))
        out.writeframes(source.readframes(round((end - start) * rate)))


@pytest.mark.net
@pytest.mark.media
@pytest.mark.slow
def test_a_project_uses_it(tmp_path: Path) -> None:
    project, kept = tmp_path / "project", tmp_path / "kept"
    shutil.copytree(SAMPLE, project)
    cut(project / "greeting.wav", 0.0, 1.0)
    cut(project / "question.wav", 2.0, 3.0)
    done = pytest_in(
        project, "--telnyx-artifacts", str(kept), "--junitxml", str(tmp_path / "junit.xml"), "-o", "junit_logging=all"
    )
    assert done.returncode == 0, done.stdout[-4_000:]
    cases = {case.get("name"): case for case in ElementTree.parse(tmp_path / "junit.xml").iter("testcase")}
    assert len(cases) == 11
    real = cases["test_the_menu_on_a_real_line"]
    named = {each.get("name"): Path(each.get("value") or "") for each in real.iter("property")}
    assert set(named) == {"telnyx_recording", "telnyx_journal", "telnyx_report"}
    assert all(file.stat().st_size > 1_000 and file.parent == kept for file in named.values())
    output = "".join(each.text or "" for each in real.iter("system-out"))
    assert f"[[ATTACHMENT|{named['telnyx_recording']}]]" in output
    with wave.open(str(named["telnyx_recording"])) as recording:
        assert recording.getnchannels() == 2
    assert "<html" in named["telnyx_report"].read_text(encoding="utf-8")
    many = [each.get("name") for each in cases["test_many"].iter("property")]
    assert many.count("telnyx_recording") == 5
