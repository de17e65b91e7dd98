"""Mean opinion scores from network figures: the two formulas that the platform uses."""

from math import inf, log
from typing import Final, Literal, TypeAlias

Quality: TypeAlias = Literal["excellent", "good", "fair", "poor", "bad"]

_BOUNDS: Final[tuple[tuple[float, Quality], ...]] = ((4.1, "good"), (3.7, "fair"), (3.1, "poor"), (-inf, "bad"))


def mos(jitter_ms: float, rtt_ms: float, loss_percent: float) -> float:
    """Simplified E-model of frames and reports, 1 to 5."""
    latency = jitter_ms + rtt_ms / 2
    impairment = 0.024 * latency
    if latency > 177.3:
        impairment += 0.11 * (latency - 177.3)
    return _score(93.2 - impairment - 20 * log(1 + loss_percent), 5.0)


def warning_mos(jitter_ms: float, rtt_ms: float, loss_percent: float) -> float:
    """The linear form that the warning 31004 is judged by, 1 to 4.5."""
    return _score(93.2 - 0.11 * jitter_ms - 2.5 * loss_percent - 0.01 * rtt_ms, 4.5)


def quality(score: float | None) -> Quality | None:
    """The word for a score; every score has one."""
    if score is None:
        return None
    if score > 4.2:
        return "excellent"
    return next(word for bound, word in _BOUNDS if score >= bound)


def loss_percent(lost: int | None, received: int | None) -> float | None:
    """Lost of all that was sent, cumulative; no packets at all: 0."""
    if lost is None or received is None:
        return None
    lost = max(0, lost)
    return 100.0 * lost / (received + lost) if received + lost > 0 else 0.0


def _score(r: float, top: float) -> float:
    """The polynomial of ITU-T G.107 annex B. It dips below 1 and turns up again for low R, hence both bounds."""
    if r <= 0:
        return 1.0
    return min(top, max(1.0, 1 + 0.035 * r + 7e-6 * r * (r - 60) * (100 - r)))
