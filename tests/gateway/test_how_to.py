"""The page about the embedded gateway says what is true: its programs run, its tables name what exists."""

import re
from pathlib import Path

import pytest

from telnyx_core.gateway import events
from telnyx_core.gateway.options import ROUTES
from telnyx_drivers.gateway import Gateway, GatewayThread

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "embedded-gateway.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.net
@pytest.mark.media
@pytest.mark.parametrize("program", PROGRAMS, ids=range(len(PROGRAMS)))
def test_the_programs_run(program: str) -> None:
    exec(compile(program, "embedded-gateway.md", "exec"), {"__name__": "__main__"})


def test_the_page_has_programs_and_names_every_number() -> None:
    assert len(PROGRAMS) == 4
    assert set(ROUTES) <= set(re.findall(r"`(\w+)`", PAGE))


def test_the_page_names_what_exists() -> None:
    for method in re.findall(r"gateway\.(\w+)\(", PAGE):
        assert hasattr(Gateway, method) or hasattr(GatewayThread, method), method
    for kind in re.findall(r"`(Client\w+|Call[A-Z]\w+|\w+Received)`", PAGE):
        assert hasattr(events, kind) or kind == "CallPlan", kind
