"""Every 20 ms of a call have one number, in both directions, whatever did not run."""

import pytest

from telnyx_drivers._audio.timeline import Timeline


def test_frames_are_numbered_by_the_clock_and_what_did_not_run_is_counted() -> None:
    time = Timeline()
    assert [time.sent.place(100.0 + 0.02 * number) for number in range(3)] == [0, 1, 2]
    assert time.heard.place(100.047) == 2
    assert time.sent.place(101.56) == 78
    assert time.heard.place(101.567) == 78
    assert (time.sent.missed, time.heard.missed) == (75, 75)


@pytest.mark.parametrize("shift", [0.004, -0.004])
def test_beats_that_move_stay_in_step_and_a_whole_frame_is_left_out_or_filled_in(shift: float) -> None:
    """The beats of hearing follow the far end's packets: over time by more than a frame."""
    time, due, numbers = Timeline(), 5.0, list[int | None]()
    for number in range(500):
        due += 0.02 + (shift if number % 10 == 0 else 0)
        numbers.append(time.heard.place(due))
    placed = [number for number in numbers if number is not None]
    assert placed == sorted(set(placed))
    assert placed[-1] * 0.02 == pytest.approx(due - 5.02, abs=0.02)
    assert numbers.count(None) == (0 if shift > 0 else pytest.approx(10, abs=1))
    assert time.heard.missed == (0 if shift < 0 else pytest.approx(10, abs=1))


def test_without_times_both_directions_keep_together() -> None:
    time = Timeline()
    assert [time.sent.place(None) for _ in range(50)][-1] == 49
    assert [time.heard.place(None), time.sent.place(None), time.heard.place(None)] == [49, 50, 50]
