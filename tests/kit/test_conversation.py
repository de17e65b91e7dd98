"""What a test asserts of a conversation."""

import wave
from pathlib import Path

import numpy as np
import pytest

from telnyx_core.events import Cause
from telnyx_core.ids import CallId
from telnyx_drivers.testing.conversation import RATE, Conversation

pytestmark = pytest.mark.media


def test_a_stereo_file_is_heard_as_it_is_played(tmp_path: Path) -> None:
    """`play` sends the mean of the channels."""
    noise = np.random.default_rng(1).integers(-8_000, 8_000, (2 * RATE, 2)).astype(np.int16)
    with wave.open(str(tmp_path / "stereo.wav"), "wb") as file:
        file.setparams((2, 2, RATE, 0, "NONE", ""))
        file.writeframes(noise.tobytes())
    heard = noise.mean(axis=1).astype(np.int16)
    conversation = Conversation(
        call=CallId("c"),
        heard=heard,
        digits="",
        turns=(),
        ended=Cause("NORMAL_CLEARING", 16),
        hung_up_by="client",
        loss=None,
        jitter=None,
        rtt=None,
        mos=None,
    )
    conversation.assert_heard(tmp_path / "stereo.wav", likeness=0.99)
