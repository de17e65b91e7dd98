"""``telnyx-rtc demo --bot``: a scripted bot talks with a scripted caller on this machine, and is measured."""

import asyncio
import secrets
import tempfile
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.resources import as_file
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final, Self

from attrs import define, field, frozen

from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core.events import DigitReceived
from telnyx_core.gateway import CallPlan, GatewayOptions, Quirks
from telnyx_core.gateway.options import ROUTES
from telnyx_core.ids import CallId
from telnyx_drivers._assets import sound
from telnyx_drivers._calls import CallHandle
from telnyx_drivers._tools.cli.account import Way, logged_in
from telnyx_drivers._tools.cli.conversation import Conversation, Plan
from telnyx_drivers._tools.cli.credentials import Credentials
from telnyx_drivers._tools.cli.exits import Exit, UsageError
from telnyx_drivers._tools.cli.output import Output, clean
from telnyx_drivers._tools.cli.report import check_extras, make_page
from telnyx_drivers._tools.cli.summary import show_summary
from telnyx_drivers.asyncio import TelnyxRTC

if TYPE_CHECKING:
    from telnyx_drivers._audio.audio_input import Playable
    from telnyx_drivers._audio.player import Playback
    from telnyx_drivers._audio.readers import AudioIn
    from telnyx_drivers._audio.turns import Turn
    from telnyx_drivers._webrtc.call_audio import CallAudio
    from telnyx_drivers.gateway import Gateway

ACTIVE_WITHIN: Final = 10.0
_DESK_RINGS: Final = 1.0
"""Seconds."""
PATIENCE: Final = 3.0
"""Seconds for which the caller listens before interrupting the bot."""
_LOUD: Final = 300
"""Peak from which on a frame of 20 ms is speech: -40 dB of full scale, on a line without noise."""
_ONSET: Final = 3
_BOT_PAUSE: Final = 25
_PAUSE: Final = 35
"""Frames of 20 ms: so many of speech are a beginning, and so many without any the end of what somebody says. People are
more patient than the bot, which pauses between its sentences.
"""


@frozen
class Line:
    """Something that is said."""

    who: str
    text: str
    sound: "Callable[[], Playable]"


_GREETING: Final = (
    "Hello, and welcome to Wonderland Travel. We are open from nine to five, every day but Sunday, and we never close"
    " for tea."
)
WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "greeting": ("bot", _GREETING),
    "interrupt": ("caller", "Excuse me! I need help with my ticket."),
    "menu": ("bot", "Of course. Press one for the time table, or two for the front desk."),
    "connecting": ("bot", "One moment, I am connecting you."),
    "desk": ("desk", "Front desk. How can I help?"),
    "question": ("caller", "Is my train on time?"),
    "reply": ("desk", "Yes, it leaves at five."),
    "goodbye": ("bot", "Thank you for calling. Goodbye!"),
}


@asynccontextmanager
async def spoken() -> AsyncGenerator[Mapping[str, Line]]:
    """The lines of the demo, with the sounds that ship with the package."""
    async with AsyncExitStack() as stack:
        files = {name: stack.enter_context(as_file(sound(name))) for name in WORDS}
        yield {
            name: Line(who, text, lambda file=files[name]: file)  # type: ignore[misc]
            for name, (who, text) in WORDS.items()
        }


async def demonstrate(
    lines: Mapping[str, Line],
    output: Output,
    document: JsonObject,
    *,
    record: Path,
    page: Path | None,
    patience: float = PATIENCE,
) -> Exit:
    """Let the two talk, show it as it happens, sum up, and make the page."""
    from telnyx_drivers.gateway import Gateway

    password = secrets.token_urlsafe()
    # The gateway presses keys in the audio, as the telephone network does; the platform passes none on.
    options = GatewayOptions(
        users={"bot": password},
        routes={**ROUTES, "desk": "silence"},
        quirks=Quirks(no_telephone_event=False),
        plan=CallPlan(answer_delay=_DESK_RINGS),
    )
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "journal"
        async with Gateway(options) as gateway:
            output.done(f"Gateway listening on {gateway.url}")
            credentials = Credentials(login="bot", password=password)
            async with logged_in(credentials, Way(url=gateway.url), output, document, journal=journal) as client:
                ringing = gateway.call_user("bot", from_number="+15550001111", behaviour="silence")
                call = await anext(client.incoming())
                stage = _Stage(output, lines)
                conversation = Conversation(call, Plan(record=record), output, "the caller")
                talk = _Talk(gateway, client, call, stage)
                talking = [
                    asyncio.create_task(talk.bot(conversation)),
                    asyncio.create_task(talk.caller(ringing, patience)),
                    asyncio.create_task(talk.figures()),
                ]
                try:
                    await conversation.run(timeout=ACTIVE_WITHIN)
                finally:
                    for task in talking:
                        task.cancel()
                    for result in await asyncio.gather(*talking, return_exceptions=True):
                        if isinstance(result, Exception):
                            conversation.faults.append(f"{type(result).__name__}: {result}.")
            await conversation.finish()
        conversation.faults += talk.missing()
        document |= {**conversation.document(), "transcript": stage.transcript(), "bot": talk.document()}
        title = "The bot did what it should" if conversation.status is Exit.OK else "The bot did not do what it should"
        show_summary(output, conversation, title=title)
        if page is not None:
            turns = {str(call.id): conversation.turns}
            await asyncio.to_thread(make_page, journal, page, recording=record, hide=True, turns=turns)
            document["report"] = str(page)
            output.done(f"Page: {clean(str(page))}")
    return conversation.status


@define
class _Stage:
    """Who says what, shown as it begins."""

    output: Output
    lines: Mapping[str, Line]
    said: list[JsonObject] = field(factory=list[JsonObject])
    began: float = field(factory=lambda: asyncio.get_running_loop().time())

    @property
    def time(self) -> float:
        return asyncio.get_running_loop().time() - self.began

    def note(self, who: str, text: str, style: str = "") -> None:
        """A line of the transcript."""
        colour = {"bot": "cyan", "caller": "magenta", "desk": "green"}.get(who, "dim")
        shown = f"[{style}]{clean(text)}[/]" if style else clean(text)
        self.output.say(f"[dim]{self.time:5.1f} s[/]  [{colour}]{who:>6}[/]  {shown}")

    async def say(self, audio: "CallAudio", name: str) -> "Playback":
        line = self.lines[name]
        self.note(line.who, line.text)
        self.said.append({"at": round(self.time, 2), "who": line.who, "text": line.text})
        return await audio.play(line.sound())

    def transcript(self) -> list[Json]:
        return [*self.said]


class _Ear:
    """Listens all the time: does somebody speak, and how often have they come to an end."""

    def __init__(self, frames: "AudioIn", pause: int) -> None:
        self._speaking = False
        self._ends = 0
        self._pause = pause
        self._changed = asyncio.Event()
        self._listening = asyncio.create_task(self._listen(frames))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.cancel()

    async def _listen(self, frames: "AudioIn") -> None:
        row = 0
        """Frames in a row that say the opposite of what is believed."""
        async for frame in frames:
            loud = int(abs(frame.to_numpy().astype(int)).max()) > _LOUD
            row = row + 1 if loud is not self._speaking else 0
            if row == (self._pause if self._speaking else _ONSET):
                row = 0
                self._ends += self._speaking
                self._speaking = not self._speaking
                self._changed.set()

    async def speech(self) -> None:
        """Until somebody speaks."""
        while not self._speaking:
            self._changed.clear()
            await self._changed.wait()

    async def utterances(self, count: int) -> None:
        """Until so many have come to their end since the beginning."""
        while self._ends < count:
            self._changed.clear()
            await self._changed.wait()


class _Talk:
    """The three parties, each with its own task; what they say to each other goes through the gateway alone."""

    def __init__(self, gateway: "Gateway", client: TelnyxRTC, call: CallHandle, stage: _Stage) -> None:
        self._gateway = gateway
        self._client = client
        self._call = call
        self._stage = stage
        self._heard_of_greeting: float | None = None
        self._pressed = ""
        self._desk_answered = self._farewell = False
        self._turns: list[Turn] = []

    async def bot(self, conversation: Conversation) -> None:
        call, stage = self._call, self._stage
        await call.wait_for_state("active")
        digits = asyncio.create_task(call.wait_for(DigitReceived))
        try:
            with _Ear(call.audio_in(), _BOT_PAUSE) as ear:
                greeting = await stage.say(call.audio, "greeting")
                await ear.speech()
                greeting.stop()  # the caller interrupts: they are listened to
                self._heard_of_greeting = greeting.heard
                stage.note("bot", f"interrupted; {greeting.heard:.1f} s of it were heard", "dim")
                await ear.utterances(1)
                await (await stage.say(call.audio, "menu")).wait()
                self._pressed = (await digits).digit
                await (await stage.say(call.audio, "connecting")).wait()
                await self._transfer()
                await (await stage.say(call.audio, "goodbye")).wait()
            self._farewell = True
        finally:
            digits.cancel()
            await call.hangup(drain=True)

    async def _transfer(self) -> None:
        """Let the caller and the desk hear each other until the desk hangs up."""
        from telnyx_drivers._conference import bridge

        desk = await self._client.new_call("desk")
        await desk.wait_for_state("active", timeout=ACTIVE_WITHIN)
        speaking = asyncio.create_task(self._desk(desk.id))
        try:
            with bridge(self._call, desk):
                await desk.wait_ended()
        finally:
            speaking.cancel()

    async def _desk(self, call: CallId) -> None:
        audio = self._gateway.audio(call)
        with _Ear(audio.audio_in(), _PAUSE) as ear:
            await (await self._stage.say(audio, "desk")).wait()
            await ear.utterances(1)
        await (await self._stage.say(audio, "reply")).wait()
        await asyncio.sleep(1.0)  # until it has been heard, and the pause after it
        self._gateway.hangup(call)

    async def caller(self, call: CallId, patience: float) -> None:
        await self._call.wait_for_state("active")
        audio, stage = self._gateway.audio(call), self._stage
        with _Ear(audio.audio_in(), _PAUSE) as ear:
            await asyncio.sleep(patience)
            await stage.say(audio, "interrupt")
            await ear.utterances(2)  # the greeting, as far as it came, and the menu
            stage.note("caller", "presses 2", "dim")
            self._gateway.digits(call, "2")
            await ear.utterances(4)  # one moment, and the desk
            await stage.say(audio, "question")
            await ear.utterances(5)
        self._desk_answered = True

    async def figures(self) -> None:
        """Each turn, as it is known: a second after its end."""
        await self._call.wait_for_state("active")
        async for turn in self._call.turns:
            self._turns.append(turn)
            if turn.barge_in is not None and turn.who == "remote":
                self._stage.note("turns", f"the bot was silent {1000 * turn.barge_in:.0f} ms after they began", "dim")
            elif turn.response is not None and turn.who == "local":
                self._stage.note("turns", f"the bot's side answered after {1000 * turn.response:.0f} ms", "dim")

    def missing(self) -> list[str]:
        """What did not happen, in sentences."""
        happened = {
            "The caller did not interrupt the greeting.": self._heard_of_greeting is not None,
            "The key was not heard.": self._pressed == "2",
            "The caller did not hear the desk's answer.": self._desk_answered,
            "The bot did not say goodbye.": self._farewell,
        }
        return [fault for fault, did in happened.items() if not did]

    def document(self) -> JsonObject:
        barge = [turn.barge_in for turn in self._turns if turn.who == "remote" and turn.barge_in is not None]
        waited = [turn.response for turn in self._turns if turn.who == "local" and turn.response is not None]
        return {
            "greeting_heard_seconds": self._heard_of_greeting and round(self._heard_of_greeting, 2),
            "barge_in_ms": round(1000 * barge[0]) if barge else None,
            "response_ms": round(1000 * median(waited)) if waited else None,
            "pressed": self._pressed,
        }


def page_for(path: Path | None, output: Output) -> Path | None:
    """Where the page goes; ``None``, with a warning, where it cannot be made."""
    try:
        check_extras()
    except UsageError as error:
        output.warn(str(error))
        return None
    return path
