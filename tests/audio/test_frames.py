import numpy as np
import pytest

from telnyx_drivers._audio.frames import mix, silence, to_mono
from telnyx_drivers.asyncio import AudioFrame


def test_a_frame_knows_its_length_and_its_samples() -> None:
    frame = AudioFrame(np.array([1, -1, 2, -2], dtype="<i2").tobytes(), 8_000, channels=2)
    assert frame.samples == 2
    assert frame.duration == 2 / 8_000
    assert frame.to_numpy().tolist() == [[1, -1], [2, -2]]
    assert AudioFrame(frame.data, 8_000).to_numpy().tolist() == [1, -1, 2, -2]


@pytest.mark.parametrize(
    ("pcm", "rate", "channels", "error"),
    [
        (b"\0\0", None, 1, TypeError),
        (np.zeros(2, dtype=np.int16), None, 1, TypeError),
        (np.zeros(2, dtype=np.int32), 8_000, 1, TypeError),
        ([0, 0], 8_000, 1, TypeError),
        ("\0\0", 8_000, 1, TypeError),
        (b"\0", 8_000, 1, ValueError),
        (b"\0\0", 8_000, 2, ValueError),
        (b"\0\0", 8_000, 0, ValueError),
        (b"\0\0", 7_999, 1, ValueError),
        (b"\0\0", 0, 1, ValueError),
        (b"\0\0", 44_123, 1, ValueError),
        (np.zeros((2, 2, 2), dtype=np.int16), 8_000, 1, ValueError),
        (AudioFrame(b"\0\0", 8_000), 16_000, 1, ValueError),
    ],
)
def test_audio_of_unknown_meaning_is_refused(pcm: object, rate: int | None, channels: int, error: type) -> None:
    with pytest.raises(error):
        to_mono(pcm, rate, channels)  # type: ignore[arg-type]


def test_channels_become_their_mean() -> None:
    left, right = [32_767, 100], [32_767, -50]
    interleaved = np.array([left, right], dtype=np.int16).T
    assert to_mono(interleaved, 8_000, 1)[0].tolist() == [32_767, 25]
    assert to_mono(interleaved.tobytes(), 8_000, 2)[0].tolist() == [32_767, 25]
    assert to_mono(interleaved.reshape(-1), 8_000, 2)[0].tolist() == [32_767, 25]
    assert to_mono(AudioFrame(interleaved.tobytes(), 16_000, 2), None, 1)[1] == 16_000


def test_floats_are_scaled_and_saturate() -> None:
    samples, _ = to_mono(np.array([0.0, 1.0, -1.0, 2.0, -2.0, np.nan], dtype=np.float32), 8_000, 1)
    assert samples.tolist() == [0, 32_767, -32_767, 32_767, -32_768, 0]


def test_what_was_handed_in_can_be_changed_afterwards() -> None:
    array = np.array([1, 2], dtype=np.int16)
    raw = bytearray(array.tobytes())
    from_array, from_raw = to_mono(array, 8_000, 1)[0], to_mono(raw, 8_000, 1)[0]
    array[:] = 9
    raw[:] = b"\7" * 4
    assert from_array.tolist() == from_raw.tolist() == [1, 2]


def test_mixing_saturates_instead_of_wrapping() -> None:
    one = np.array([30_000, -30_000, 1], dtype=np.int16)
    assert mix(one, one).tolist() == [32_767, -32_768, 2]


def test_silence_is_shared_and_cannot_be_spoilt() -> None:
    assert silence(160) is silence(160)
    with pytest.raises(ValueError, match="read-only"):
        silence(160)[0] = 1
