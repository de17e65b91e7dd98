"""The fuzzers begin with what servers say."""

import importlib.util
from pathlib import Path
from types import ModuleType

FUZZ = Path(__file__).parents[2] / "fuzz"


def make_corpus() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_corpus", FUZZ / "make_corpus.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_corpus_is_that_of_the_transcripts() -> None:
    """Run fuzz/make_corpus.py after a change of the transcripts."""
    files = {path.name: path.read_bytes().decode() for path in (FUZZ / "corpus").glob("*.session")}
    assert files
    assert files == make_corpus().texts()
