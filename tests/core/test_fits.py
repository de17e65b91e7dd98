"""Values from JSON against the types of attributes."""

from typing import Literal, NewType, Optional

import pytest

from telnyx_core.journal.fits import fits
from telnyx_core.stats.snapshot import CodecStats

Ident = NewType("Ident", int)
CODEC = CodecStats(mime_type="audio/opus", clock_rate=48000)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (str, ["", "a"], [None, 1, ["a"], {}]),
        (int, [0, -1, 2**62], [None, "1", 1.5, True, 2**63, 10**400]),
        (float, [0, 1.5, float("nan")], [None, "1", False, 10**400]),
        (bool, [True, False], [0, 1, None, "true"]),
        (Ident, [7], [None, "7", True]),
        (str | None, [None, "a"], [1, []]),
        (Optional[int], [None, 1], ["1", {}]),  # noqa: UP045  # the old spelling is another class
        (Literal["a", "b"], ["a"], ["c", None, 1, ["a"], {}]),
        (CodecStats | None, [None, CODEC], [{}, "opus"]),
        (tuple[bytes, ...], [(), (b"", b"a")], [[b"a"], (b"a", "b"), None]),
        ("a name", [], ["a name", None]),
    ],
)
def test_what_fits(kind: object, good: list[object], bad: list[object]) -> None:
    assert [value for value in good if not fits(value, kind)] == []
    assert [value for value in bad if fits(value, kind)] == []
