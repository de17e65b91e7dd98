"""Files and streams as the world has them: what a player plays is played, and what is not says why and by its name."""

import io
import os
import socket
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import anyio
import av
import numpy as np
import pytest

from telnyx_drivers._audio import http_input, inputs
from telnyx_drivers._audio.decode import open_decoder
from telnyx_drivers._audio.frames import Samples
from telnyx_drivers._audio.resampler import Resampler
from telnyx_drivers._webrtc.call_audio import CallAudio
from telnyx_drivers._webrtc.measure import dominant_frequency
from telnyx_drivers.asyncio import TelnyxClientError, UnplayableAudio
from tests.audio.helpers import call_audio, pull, sine


def encode(
    codec: str, kind: str, seconds: float = 2.0, rate: int = 24_000, layout: str = "mono", bits: int = 48_000
) -> bytes:
    """A tone of 440 Hz by FFmpeg."""
    target = io.BytesIO()
    with av.open(target, "w", format=kind) as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        stream.bit_rate = bits
        tone = np.repeat(sine(440, rate, seconds), 2 if layout == "stereo" else 1)
        frame = av.AudioFrame.from_ndarray(tone.reshape(1, -1), format="s16", layout=layout)
        frame.rate = rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target.getvalue()


def mp3(seconds: float = 2.0, rate: int = 24_000, layout: str = "mono") -> bytes:
    return encode("libmp3lame", "mp3", seconds, rate, layout)


def frames_of(data: bytes) -> list[bytes]:
    """An MPEG-2 layer III file of 48 kbit/s at 24 kHz, frame by frame: 144 bytes each."""
    start = data.index(b"\xff\xf3")
    return [data[at : at + 144] for at in range(start, len(data) - 143, 144)]


def decode(path: Path) -> tuple[Samples, int]:
    decoder = open_decoder(path)
    parts: list[Samples] = []
    rates: set[int] = set()
    try:
        while (piece := decoder.read()) is not None:
            parts.append(piece[0])
            rates.add(piece[1])
    finally:
        decoder.close()
    (rate,) = rates
    return np.concatenate(parts), rate


def damaged(change: Callable[[list[bytes], int], list[bytes]]) -> bytes:
    parts = frames_of(mp3())
    return b"".join(change(parts, len(parts) // 2))


OPUS = encode("libopus", "ogg", rate=48_000)
FLAC = encode("flac", "flac")
PLAYED: dict[str, tuple[Callable[[], bytes], float]] = {
    "header.mp3": (lambda: damaged(lambda parts, m: [*parts[:m], b"\0" * 144, *parts[m + 1 :]]), 2.0),
    "body.mp3": (lambda: damaged(lambda p, m: [*p[:m], p[m][:4] + b"\xff" * 140, *p[m + 1 :]]), 2.0),
    "many-bodies.mp3": (
        lambda: damaged(lambda p, m: [each[:4] + b"\xff" * 140 if n % 20 == 9 else each for n, each in enumerate(p)]),
        1.7,
    ),
    "junk.mp3": (lambda: damaged(lambda p, m: [*p[:m], bytes(range(1, 241)) * 2, *p[m:]]), 2.0),
    "cut.mp3": (lambda: mp3()[:-40], 2.0),
    "two.mp3": (lambda: mp3() + b"TAG" + b"\0" * 125 + mp3(), 4.0),
    "rate-changes.mp3": (lambda: mp3() + mp3(rate=16_000), 4.0),
    "channels-change.mp3": (lambda: mp3() + mp3(layout="stereo") + mp3(), 6.0),
    "cut.ogg": (lambda: OPUS[: len(OPUS) // 2], 1.0),
    "cut.flac": (lambda: FLAC[:-300], 1.9),
    "two-streams.ogg": (lambda: OPUS + OPUS, 4.0),
    "adpcm.wav": (lambda: encode("adpcm_ms", "wav"), 2.0),
    "ima-adpcm.wav": (lambda: encode("adpcm_ima_wav", "wav"), 2.0),
    "mp3-inside.wav": (lambda: encode("libmp3lame", "wav"), 2.0),
    "old-mac.wav": (lambda: encode("pcm_s16le", "wav", rate=22_254), 2.0),
    "five-kilohertz.wav": (lambda: encode("pcm_s16le", "wav", rate=5_512), 2.0),
    "big-endian.aiff": (lambda: encode("pcm_s16be", "aiff"), 2.0),
    "sun.au": (lambda: encode("pcm_mulaw", "au", rate=8_000), 2.0),
    "mu-law.wav": (lambda: encode("pcm_mulaw", "wav", rate=8_000), 2.0),
    "a-law.wav": (lambda: encode("pcm_alaw", "wav", rate=8_000), 2.0),
    "float.wav": (lambda: encode("pcm_f32le", "wav"), 2.0),
    "64.wav": (lambda: encode("pcm_f64le", "wav"), 2.0),
    "24.wav": (lambda: encode("pcm_s24le", "wav"), 2.0),
    "aac.m4a": (lambda: encode("aac", "ipod"), 2.0),
    "aac.aac": (lambda: encode("aac", "adts"), 2.0),
    "matroska.webm": (lambda: encode("libopus", "webm", rate=48_000), 2.0),
}


@pytest.mark.parametrize("name", PLAYED)
def test_what_a_player_plays_is_played(tmp_path: Path, name: str) -> None:
    make, seconds = PLAYED[name]
    (tmp_path / name).write_bytes(make())
    samples, rate = decode(tmp_path / name)
    loud = np.abs(samples[: samples.size // 80 * 80].reshape(-1, 80)).max(axis=1) > 2_000
    assert loud.sum() * 80 / rate == pytest.approx(seconds, abs=0.15)
    assert dominant_frequency(samples[: rate // 2], rate) == pytest.approx(440, abs=3)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("no-sound.wav", b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data\0\0\0\0"),
        ("text.mp3", b"no audio at all " * 40),
        ("only-damage.mp3", b"".join(each[:4] + b"\xff" * 140 for each in frames_of(mp3()))),
        ("cut.m4a", encode("aac", "ipod")[:3_000]),
        ("empty.wav", b""),
        ("gibberish.wav", b"RIFF\xff\xff\xff\xffWAVE" + bytes(range(256)) * 8),
    ],
)
def test_what_holds_no_audio_is_refused_by_its_name(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UnplayableAudio, match=rf"^{name} cannot be played: .") as refused:
        open_decoder(tmp_path / name)
    assert isinstance(refused.value, TelnyxClientError)
    assert isinstance(refused.value, ValueError)


def test_a_path_that_cannot_be_opened_is_an_os_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="missing"):
        open_decoder(tmp_path / "missing.wav")
    (tmp_path / "folder.wav").mkdir()
    with pytest.raises(IsADirectoryError, match="folder"):
        open_decoder(tmp_path / "folder.wav")
    with pytest.raises(UnplayableAudio, match="null byte"):
        open_decoder(Path("\0.wav"))


class _Failing:
    """A file on a disk that breaks after a while."""

    name, waits = "a.wav", False

    def __init__(self, data: bytes, good: int) -> None:
        self._file, self._good = io.BytesIO(data), good

    def open(self) -> "_Failing":
        return self

    def read(self, size: int, /) -> bytes:
        if self._file.tell() > self._good:
            raise OSError(5, "Input/output error")
        return self._file.read(size)

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def stop(self) -> None: ...

    def close(self) -> None: ...


@pytest.mark.parametrize("data", [encode("pcm_s16le", "wav", 10.0), mp3(60.0)], ids=["wav", "mp3"])
def test_a_disk_that_fails_while_it_is_read_is_told_by_the_files_name(data: bytes) -> None:
    decoder = open_decoder(_Failing(data, 100_000))
    with pytest.raises(UnplayableAudio, match=r"a\.wav cannot be played: Input/output error"):
        deque(iter(decoder.read, None))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with a name here")
class TestPipes:
    @pytest.mark.parametrize("data", [encode("pcm_s16le", "wav"), mp3(), OPUS], ids=["wav", "mp3", "ogg"])
    def test_a_pipe_is_played_to_its_end(self, tmp_path: Path, data: bytes) -> None:
        os.mkfifo(tmp_path / "pipe")
        writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(data,))
        writer.start()
        samples, rate = decode(tmp_path / "pipe")
        writer.join()
        assert samples.size / rate == pytest.approx(2.0, abs=0.1)

    @pytest.mark.anyio
    async def test_a_pipe_that_nobody_writes_into_has_an_end(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        os.mkfifo(tmp_path / "pipe")
        monkeypatch.setattr(inputs, "PATIENCE", 0.1)
        with pytest.raises(UnplayableAudio, match="pipe cannot be played: nothing came for"):
            await call_audio().play(tmp_path / "pipe")

    @pytest.mark.anyio
    async def test_waiting_for_a_pipe_can_be_cancelled(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with anyio.fail_after(5), anyio.move_on_after(0.05) as waiting:
            await call_audio().play(tmp_path / "pipe")
        assert waiting.cancelled_caught


class _Server(ThreadingHTTPServer):
    """Serves what a test puts in ``bodies``, by path: bytes, or a function that writes them."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: dict[str, bytes | Callable[[BaseHTTPRequestHandler], None]] = {}
        self.asked: list[str] = []

    def url(self, path: str) -> str:
        return f"http://user:secret@127.0.0.1:{self.server_address[1]}{path}"


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        body = self.server.bodies.get(self.path.partition("?")[0])
        if callable(body):
            body(self)
            return
        self.send_response(404 if body is None else 200)
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *args: object) -> None:
        """Nobody reads it."""


@pytest.fixture
async def server() -> AsyncIterator[_Server]:
    serving = _Server()
    thread = threading.Thread(target=serving.serve_forever, args=(0.01,))
    thread.start()
    yield serving
    await anyio.to_thread.run_sync(serving.shutdown)
    thread.join()
    serving.server_close()


async def hear(audio: CallAudio, playback: object, seconds: float) -> Samples:
    """Pull until so much is loud, at the speed of the machine."""
    heard: list[Samples] = []
    with anyio.fail_after(20):
        while len(heard) < seconds * 50 and not playback.ended:  # type: ignore[attr-defined]
            samples = audio.pull(8_000)
            if np.abs(samples).max() > 1_000:
                heard.append(samples)
            else:
                await anyio.sleep(0.005)
    return np.concatenate(heard) if heard else np.zeros(0, np.int16)


@pytest.mark.anyio
@pytest.mark.net
class TestUrls:
    @pytest.mark.parametrize("name", ["two.wav", "two.mp3"])
    async def test_a_url_is_played_to_its_end(self, server: _Server, name: str) -> None:
        server.bodies["/" + name] = encode("pcm_s16le", "wav") if name == "two.wav" else mp3()
        audio = call_audio()
        playback = await audio.play(server.url(f"/{name}?token=abc"))
        heard = await hear(audio, playback, 5)
        assert heard.size / 8_000 == pytest.approx(2.0, abs=0.1)
        await playback.wait()

    async def test_a_stream_without_end_is_played_as_it_comes_and_let_go_with_the_playback(
        self, server: _Server
    ) -> None:
        gone = threading.Event()
        sent = 0

        def radio(request: BaseHTTPRequestHandler) -> None:
            nonlocal sent
            request.send_response(200)
            request.end_headers()
            body = mp3(20.0)
            try:
                while True:
                    sent += request.wfile.write(body)
            except OSError:
                gone.set()

        server.bodies["/radio"] = radio
        audio = call_audio()
        playback = await audio.play(server.url("/radio"))
        assert (await hear(audio, playback, 6)).size == 6 * 8_000
        # What waits on the way is bounded: here, in FFmpeg, and in the two sockets.
        assert sent < 16_000_000
        playback.stop()
        audio.close()
        assert await anyio.to_thread.run_sync(gone.wait, 10)

    async def test_a_loop_asks_again(self, server: _Server) -> None:
        server.bodies["/a.mp3"] = mp3(0.5)
        audio = call_audio()
        playback = await audio.play(server.url("/a.mp3"), loop=True)
        assert (await hear(audio, playback, 1.4)).size >= 1.4 * 8_000
        assert len(server.asked) >= 3
        playback.stop()

    async def test_a_stream_that_stops_without_an_end_is_told(
        self, server: _Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(http_input, "PATIENCE", 1.5)
        over, body = threading.Event(), encode("pcm_s16le", "wav")

        def stalls(request: BaseHTTPRequestHandler) -> None:
            request.send_response(200)
            request.end_headers()
            request.wfile.write(body)
            over.wait(20)

        server.bodies["/stalls.wav"] = stalls
        audio = call_audio()
        playback = await audio.play(server.url("/stalls.wav?key=secret"))
        assert (await hear(audio, playback, 5)).size / 8_000 == pytest.approx(2.0, abs=0.1)
        with pytest.raises(UnplayableAudio, match=r"stalls\.wav cannot be played: nothing came") as told:
            await playback.wait()
        assert "secret" not in str(told.value)
        over.set()

    async def test_redirections_are_followed_and_bounded(self, server: _Server) -> None:
        def to(path: str) -> Callable[[BaseHTTPRequestHandler], None]:
            def answer(request: BaseHTTPRequestHandler) -> None:
                request.send_response(302)
                request.send_header("location", path)
                request.end_headers()

            return answer

        server.bodies |= {"/a": to("/b"), "/b": to("/c.mp3"), "/c.mp3": mp3(), "/round": to("/round")}
        server.bodies["/file"] = to("file:///etc/passwd")
        audio = call_audio()
        assert (await hear(audio, await audio.play(server.url("/a")), 1)).size == 8_000
        with pytest.raises(UnplayableAudio, match="redirects more than 5 times"):
            await audio.play(server.url("/round"))
        with pytest.raises(UnplayableAudio, match="not fetched"):
            await audio.play(server.url("/file"))
        for number, nonsense in enumerate((":Upgrade: h2c", "http://[", "http://a:99999999/", "//")):
            server.bodies[f"/nonsense{number}"] = to(nonsense)
            with pytest.raises(UnplayableAudio):
                await audio.play(server.url(f"/nonsense{number}"))

    async def test_what_is_not_there_is_told_without_the_secrets_of_the_url(self, server: _Server) -> None:
        for url, why in (
            (server.url("/nothing?token=secret"), "the server answers 404"),
            ("http://127.0.0.1:9/a?token=secret", "."),
            ("http:///a?token=secret", "names no server"),
        ):
            with pytest.raises(UnplayableAudio, match=why) as told:
                await call_audio().play(url)
            assert "secret" not in str(told.value)

    async def test_waiting_for_a_server_can_be_cancelled(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            began = time.monotonic()
            with anyio.move_on_after(0.1) as waiting:
                await call_audio().play(f"http://127.0.0.1:{silent.getsockname()[1]}/a")
            assert waiting.cancelled_caught
            assert time.monotonic() - began < http_input.PATIENCE


def test_a_rate_that_is_none_of_ours_keeps_its_pitch(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(encode("pcm_s16le", "wav", rate=22_254))
    samples, rate = decode(tmp_path / "a.wav")
    eight = Resampler(rate, 8_000).process(samples)
    assert dominant_frequency(eight[:8_000], 8_000) == pytest.approx(440, abs=1)


@pytest.mark.anyio
async def test_a_damaged_file_is_heard_in_the_call(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(PLAYED["body.mp3"][0]())
    audio = call_audio()
    playback = await audio.play(tmp_path / "a.mp3")
    heard = pull(audio, 150)
    assert (np.abs(heard.reshape(-1, 160)).max(axis=1) > 2_000).sum() >= 95
    await playback.wait()
