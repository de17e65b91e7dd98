"""The pages about recovery, tokens and journals say what is true: their programs run."""

import re
from pathlib import Path

import pytest

from telnyx_core.catalogue import ErrorCode, WarningCode

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
PAGES = ("survive-a-network-drop", "renew-tokens", "replay-a-journal")
TEXTS = {page: (HOW_TO / f"{page}.md").read_text(encoding="utf-8") for page in PAGES}
PROGRAMS = [
    pytest.param(page, program, id=f"{page}-{number}")
    for page, text in TEXTS.items()
    for number, program in enumerate(re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
]


@pytest.mark.net
@pytest.mark.media
@pytest.mark.slow
@pytest.mark.parametrize(("page", "program"), PROGRAMS)
def test_the_programs_run(page: str, program: str) -> None:
    exec(compile(program, f"{page}.md", "exec"), {"__name__": "__main__"})


def test_there_are_programs_to_run() -> None:
    assert len(PROGRAMS) == 6


@pytest.mark.parametrize("page", PAGES)
def test_the_pages_name_codes_that_exist(page: str) -> None:
    for code in re.findall(r"\b[34]\d{4}\b", TEXTS[page]):
        assert int(code) in {*ErrorCode, *WarningCode}, code
