"""Sources, sinks and their failures for code without ``async``."""

import threading
from collections.abc import Iterator, Mapping

import numpy as np
import pytest

from telnyx_core._wire.json_types import Json
from telnyx_core.events import ErrorRaised
from telnyx_drivers._audio import devices
from telnyx_drivers._audio.frames import Samples
from telnyx_drivers.gateway import Gateway
from telnyx_drivers.sync import AudioDevice, AudioFrame, Source, TelnyxRTC, Tone
from tests.devices.fake_portaudio import FakePortAudio
from tests.drivers.servers import Servers

pytestmark = [pytest.mark.net, pytest.mark.media]


@pytest.fixture
def client() -> Iterator[TelnyxRTC]:
    servers = Servers()
    gateway = servers.enter(Gateway(users={"alice": "secret"}))
    yield TelnyxRTC(login="alice", password="secret", env=gateway.url, ice_servers=[])
    servers.close()


class Ear:
    rate = 16_000

    def __init__(self) -> None:
        self.loud = threading.Event()
        self.closed = threading.Event()

    async def opened(self) -> "Ear":
        return self

    def write(self, frame: AudioFrame) -> None:
        if np.abs(frame.to_numpy()).max() > 1_000:
            self.loud.set()

    def close(self) -> None:
        self.closed.set()


class Breaking(Tone):
    broken = False

    def read(self, rate: int) -> Samples | None:
        if self.broken:
            raise OSError("the cable is cut")
        return super().read(rate)


def test_a_source_that_breaks_is_an_event_and_sinks_can_be_changed(client: TelnyxRTC) -> None:
    tone, first, second = Breaking(900.0), Ear(), Ear()
    errors: list[ErrorRaised] = []
    told = threading.Event()

    async def factory(constraints: Mapping[str, Json]) -> Source:
        return Source(tone, "a tone")

    def note(event: ErrorRaised) -> None:
        errors.append(event)
        told.set()

    with client:
        client.on(ErrorRaised, note)
        client.register_source("tone", factory, "Tone")
        client.register_source("other", factory, "Other")
        client.register_sink("first", first.opened, "First")
        client.register_sink("second", second.opened)
        call = client.new_call("echo", caller_number="+1555", mic_id="tone", speaker_id="first")
        assert first.loud.wait(10)
        assert call.set_audio_out_device("second")
        assert first.closed.wait(10)
        assert second.loud.wait(10)
        call.set_audio_bandwidth_encodings_max_bps(12_000)
        tone.broken = True
        assert told.wait(10)
        tone.broken = False
        assert call.state.value == "active"
        second.loud.clear()
        tone = Breaking(700.0)
        assert call.set_audio_in_device("other")
        assert second.loud.wait(10)
        call.hangup()
        assert second.closed.wait(10)
    (event,) = errors
    assert (event.code, event.fatal, event.call) == (42003, False, call.id)


def test_devices_are_listed_before_and_while_connected(client: TelnyxRTC, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakePortAudio()
    monkeypatch.setattr(devices, "load_portaudio", lambda: fake)
    expected = AudioDevice("USB Headset, ALSA", "USB Headset", "audioinput")
    assert client.get_audio_in_devices()[-1] == expected
    with client:
        assert client.get_audio_in_devices()[-1] == expected
        assert client.get_audio_out_devices()[-1].kind == "audiooutput"
