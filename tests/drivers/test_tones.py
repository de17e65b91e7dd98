"""Ringtone and ringback files, to a sink of the application's choice (MEDIA-430 to MEDIA-437)."""

import asyncio
import wave
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import av
import numpy as np
import pytest
from websockets.datastructures import Headers
from websockets.http11 import Response

from telnyx_core.events import ErrorRaised, ToneChanged
from telnyx_core.facts import Fact
from telnyx_core.options import CallOptions
from telnyx_drivers._client import Client
from telnyx_drivers._reach import http_get
from telnyx_drivers._services import tones
from telnyx_drivers._webrtc.call_audio import CallAudio
from telnyx_drivers._webrtc.measure import dominant_frequency
from telnyx_drivers.asyncio import AudioFrame, DriverFailed
from tests.drivers.conftest import MakeClient
from tests.drivers.fakes import World
from tests.drivers.inside import driver_of, session_of
from tests.drivers.servers import Servers

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Real clocks: files are read in threads, which keep no other."""
    return str(request.param)


def sine(frequency: float, rate: int, seconds: float) -> np.ndarray[Any, np.dtype[np.int16]]:
    return (8_000 * np.sin(2 * np.pi * frequency * np.arange(round(rate * seconds)) / rate)).astype("<i2")


def wav(path: Path, frequency: float, *, rate: int = 8_000, seconds: float = 0.25) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(sine(frequency, rate, seconds).tobytes())
    return path


def mp3(path: Path, frequency: float) -> Path:
    with av.open(str(path), "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=44_100, layout="mono")
        frame = av.AudioFrame.from_ndarray(sine(frequency, 44_100, 1.0)[None, :], format="s16p", layout="mono")
        frame.sample_rate = 44_100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


class Sink:
    def __init__(self) -> None:
        self.frames: list[AudioFrame] = []
        self.times: list[float] = []

    def __call__(self, frame: AudioFrame) -> None:
        self.frames.append(frame)
        self.times.append(anyio.current_time())

    async def enough(self, count: int = 15) -> None:
        wanted = len(self.frames) + count
        with anyio.fail_after(10):
            while len(self.frames) < wanted:  # noqa: ASYNC110  # what is waited for has no event of its own
                await anyio.sleep(0.01)

    def frequencies(self, last: int = 12) -> list[int]:
        """The tones in the last frames, to 25 Hz."""
        samples = np.concatenate([frame.to_numpy() for frame in self.frames[-last:]]).astype(float)
        strength = np.abs(np.fft.rfft(samples * np.hanning(samples.size)))
        peaks = np.flatnonzero(strength > strength.max() / 3) * 48_000 / samples.size
        return sorted({int(25 * round(peak / 25)) for peak in peaks if round(peak) % 25 < 8 or round(peak) % 25 > 17})

    def frequency(self, last: int = 12) -> float:
        return dominant_frequency(np.concatenate([frame.to_numpy() for frame in self.frames[-last:]]), 48_000)


async def test_a_ringing_call_rings_until_it_is_answered(make_client: MakeClient, world: World, tmp_path: Path) -> None:
    """MEDIA-430, MEDIA-432, MEDIA-436: looped, in real time, and not one frame after the answer."""
    sink = Sink()
    async with make_client(ringtone_file=str(wav(tmp_path / "in.wav", 600)), tone_sink=sink) as client:
        assert sink.frames == []
        world.server.ring("in-1")
        call = await anext(client.incoming())
        await sink.enough(40)  # three times the file's length
        assert sink.frequency() == pytest.approx(600, abs=3)
        assert {(frame.sample_rate, frame.channels, frame.samples) for frame in sink.frames} == {(48_000, 1, 960)}
        assert [frame.pts for frame in sink.frames] == [960 * number for number in range(len(sink.frames))]
        assert (sink.times[-1] - sink.times[0]) / (len(sink.times) - 1) >= 0.018, "paced, never a flood"
        await call.answer()
        count = len(sink.frames)
        await anyio.sleep(0.1)
        assert len(sink.frames) == count
        await call.hangup()


@pytest.mark.parametrize("end", ["answer", "bye", "hang-up"])
async def test_ringback_from_ringing_until_whatever_comes(
    make_client: MakeClient, world: World, tmp_path: Path, end: str
) -> None:
    """MEDIA-433."""
    world.server.auto_answer = False
    sink = Sink()
    async with make_client(ringback_file=str(mp3(tmp_path / "back.mp3", 500)), tone_sink=sink) as client:
        call = await client.new_call("+1555")
        await call.wait_for_state("ringing")
        await sink.enough()
        assert sink.frequency() == pytest.approx(500, abs=3)
        if end == "answer":
            world.server.answer(call.id)
            await call.wait_for_state("active")
        elif end == "bye":
            world.server.bye(call.id)
            await call.wait_ended()
        else:
            await call.hangup()
        count = len(sink.frames)
        await anyio.sleep(0.1)
        assert len(sink.frames) == count


async def test_without_a_sink_no_file_is_opened_and_the_events_come(
    make_client: MakeClient, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MEDIA-431."""
    opened: list[object] = []
    monkeypatch.setattr(tones, "_sound", opened.append)
    client = make_client(ringtone_file=str(wav(tmp_path / "in.wav", 600)))
    told: list[str] = []
    client.on(ToneChanged, lambda event: told.append(f"{event.kind} {event.action}"))
    async with client:
        world.server.ring("in-1")
        call = await anext(client.incoming())
        await call.hangup()
    assert opened == []
    assert told == ["ringtone start", "ringtone stop"]


async def test_a_sink_without_a_file_hears_nothing(make_client: MakeClient, world: World) -> None:
    sink = Sink()
    async with make_client(tone_sink=sink) as client:
        world.server.ring("in-1")
        await anext(client.incoming())
        await anyio.sleep(0.1)
        assert sink.frames == []


async def test_two_calls_ring_as_one_and_the_last_to_stop_stops_it(
    make_client: MakeClient, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MEDIA-434, MEDIA-435, CALL-455."""
    loads: list[str] = []
    sound = tones._sound

    def counted(file: str, ssl: Any) -> Awaitable[Any]:
        loads.append(file)
        return sound(file, ssl)

    monkeypatch.setattr(tones, "_sound", counted)
    sink = Sink()
    async with make_client(ringtone_file=str(wav(tmp_path / "in.wav", 600)), tone_sink=sink) as client:
        for name in ("in-1", "in-2"):
            world.server.ring(name)
        first, second = [await anext(client.incoming()) for _ in range(2)]
        await sink.enough()
        await first.hangup()
        await sink.enough(5)
        await second.hangup()
        count = len(sink.frames)
        await anyio.sleep(0.1)
        assert len(sink.frames) == count
        world.server.ring("in-3")
        await sink.enough(5)
        assert sink.times[count] - sink.times[count - 1] >= 0.02
    assert len(loads) == 1, "decoded once for each client and file"


async def test_a_ringtone_and_a_ringback_tone_are_mixed(make_client: MakeClient, world: World, tmp_path: Path) -> None:
    """One sink cannot take two streams."""
    world.server.auto_answer = False
    sink = Sink()
    files = {"ringtone_file": str(wav(tmp_path / "in.wav", 600)), "ringback_file": str(wav(tmp_path / "out.wav", 900))}
    async with make_client(tone_sink=sink, **files) as client:
        await client.new_call("+1555")
        world.server.ring("in-1")
        await sink.enough(40)
        assert sink.frequencies() == [600, 900]
        assert (sink.times[-1] - sink.times[-30]) / 29 >= 0.018


async def test_a_call_may_have_its_own_ringback(make_client: MakeClient, world: World, tmp_path: Path) -> None:
    world.server.auto_answer = False
    sink = Sink()
    ours, own = wav(tmp_path / "ours.wav", 600), wav(tmp_path / "own.wav", 900)
    async with make_client(tone_sink=sink, ringback_file=str(ours)) as client:
        call = await client.new_call(CallOptions(destination_number="+1555", ringback_file=str(own)))
        await sink.enough()
        assert sink.frequency() == pytest.approx(900, abs=4)
        await call.hangup()
        assert driver_of(client).tones is not None
        assert driver_of(client).tones._own == {}, "what has ended leaves nothing behind"
        call = await client.new_call("+1555")
        await sink.enough()
        assert sink.frequency() == pytest.approx(600, abs=4)


async def test_an_object_with_an_asynchronous_write_is_a_sink(
    make_client: MakeClient, world: World, tmp_path: Path
) -> None:
    """Such as the ``audio_out`` of a call."""
    audio = CallAudio()
    async with make_client(ringtone_file=str(wav(tmp_path / "in.wav", 600)), tone_sink=audio.audio_out) as client:
        world.server.ring("in-1")
        await anext(client.incoming())
        with anyio.fail_after(10):
            while audio.audio_out.queued_duration < 0.1:  # noqa: ASYNC110  # as above
                await anyio.sleep(0.01)
        said = np.concatenate([audio.pull(8_000) for _ in range(5)])
        assert np.abs(said).max() > 4_000
    audio.close()


async def test_a_sink_that_fails_is_logged_once_and_harms_no_call(
    make_client: MakeClient, world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture, faults: list[object]
) -> None:
    def broken(frame: AudioFrame) -> None:
        raise ZeroDivisionError

    async with make_client(ringtone_file=str(wav(tmp_path / "in.wav", 600)), tone_sink=broken) as client:
        world.server.ring("in-1")
        call = await anext(client.incoming())
        await anyio.sleep(0.2)
        await call.answer()
        await call.wait_for_state("active")
        await call.hangup()
    assert caplog.text.count("the tone sink failed") == 1


def nothing(path: Path) -> Path:
    return path


def text(path: Path) -> Path:
    path.write_text("this is no audio, but a text of some length")
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


@pytest.mark.parametrize("make", [nothing, text, folder, lambda path: wav(path, 600, seconds=0)])
async def test_a_file_that_cannot_be_played_is_one_line_in_the_log(
    make_client: MakeClient,
    world: World,
    tmp_path: Path,
    make: Callable[[Path], Path],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """MEDIA-435: never an error of the call."""
    sink = Sink()
    client = make_client(ringtone_file=str(make(tmp_path / "in.wav")), tone_sink=sink)
    errors: list[object] = []
    client.on(ErrorRaised, errors.append)
    async with client:
        world.server.ring("in-1")
        call = await anext(client.incoming())
        with anyio.fail_after(10):
            while "cannot be played" not in caplog.text:  # noqa: ASYNC110  # as above
                await anyio.sleep(0.01)
        await call.hangup()
    assert caplog.text.count("in.wav cannot be played") == 1
    assert (sink.frames, errors) == ([], [])


async def test_a_minute_is_the_most_that_is_kept(
    make_client: MakeClient, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tones, "MOST_SECONDS", 0.5)
    path = wav(tmp_path / "in.wav", 600, seconds=5)
    assert tones._decode(path).size == 24_000


async def test_leaving_while_it_rings_leaves_nothing(make_client: MakeClient, world: World, tmp_path: Path) -> None:
    sink = Sink()
    async with make_client(ringtone_file=str(wav(tmp_path / "in.wav", 600)), tone_sink=sink):
        world.server.ring("in-1")
        await sink.enough(2)
    count = len(sink.frames)
    await anyio.sleep(0.1)
    assert len(sink.frames) == count


async def test_a_fault_of_ours_ends_the_ringing(make_client: MakeClient, world: World, tmp_path: Path) -> None:
    def broken(fact: Fact, *, now: float) -> None:
        raise AssertionError("cannot be")

    sink = Sink()
    client = make_client(ringtone_file=str(wav(tmp_path / "in.wav", 600)), tone_sink=sink)
    with pytest.raises(DriverFailed):
        await ring_until_broken(client, world, sink, broken)


async def ring_until_broken(client: Client, world: World, sink: Sink, broken: Any) -> None:
    async with client:
        world.server.ring("in-1")
        await sink.enough(2)
        session_of(client).receive = broken  # type: ignore[method-assign]
        world.server.ring("in-2")
        with pytest.raises(DriverFailed):
            async for _ in client.events():
                pass
        count = len(sink.frames)
        await anyio.sleep(0.1)
        assert len(sink.frames) == count


# From a web server.


@pytest.fixture
def serve_file() -> Any:
    servers = Servers()

    def serve(status: int, body: bytes, delay: float = 0.0) -> str:
        async def answer(connection: Any, request: Any) -> Response:
            await asyncio.sleep(delay)  # on the server's own loop
            return Response(status, "Status", Headers({"Content-Length": str(len(body))}), body)

        async def never(connection: Any) -> None:
            raise AssertionError("it is a web server")

        return servers.start(never, process_request=answer).replace("ws:", "http:")

    yield serve
    servers.close()


@pytest.mark.net
async def test_a_url_is_as_good_as_a_path(
    make_client: MakeClient, world: World, tmp_path: Path, serve_file: Any
) -> None:
    url = serve_file(200, wav(tmp_path / "in.wav", 700).read_bytes())
    sink = Sink()
    async with make_client(ringtone_file=url + "ring.wav?key=k3y", tone_sink=sink):
        world.server.ring("in-1")
        await sink.enough()
        assert sink.frequency() == pytest.approx(700, abs=4)


@pytest.mark.net
@pytest.mark.parametrize(
    ("status", "size", "delay", "said"),
    [
        (404, 10, 0, "answers 404"),
        (302, 0, 0, "answers 302"),
        (200, 5_000, 0, "more than"),
        (200, 10, 3, "no answer within 1 s"),
    ],
)
async def test_a_server_that_gives_no_file(
    make_client: MakeClient,
    world: World,
    serve_file: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    status: int,
    size: int,
    delay: float,
    said: str,
) -> None:
    monkeypatch.setattr(tones, "MOST_BYTES", 1_000)
    monkeypatch.setattr(http_get, "SECONDS", 1.0)
    url = serve_file(status, b"x" * size, delay).replace("://", "://me:p@pl4nt3d@")
    async with make_client(ringtone_file=url + "ring.wav?key=k3y", tone_sink=Sink()) as client:
        world.server.ring("in-1")
        call = await anext(client.incoming())
        with anyio.fail_after(10):
            while "cannot be played" not in caplog.text:  # noqa: ASYNC110  # as above
                await anyio.sleep(0.01)
        await call.hangup()
    (line,) = [record.getMessage() for record in caplog.records if "cannot be played" in record.getMessage()]
    assert said in line
    assert "k3y" not in caplog.text
    assert "pl4nt3d" not in caplog.text
    assert tones._name("https://me:p@pl4nt3d@host.example?sig=k3y") == "host.example"
