"""Who is told of trouble, how often, and that a webhook's receiver can trust what it gets."""

import json
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import anyio
import pytest
import trio.testing

from telnyx_drivers._reach.http_post import HttpAnswer
from telnyx_drivers._worker_threads import at_once
from telnyx_drivers.telemetry import Alarm, Alarms, Webhook, verify
from telnyx_drivers.telemetry.webhook import HEADER
from telnyx_drivers.testing.virtual_gateway import USER, VirtualClient, VirtualGateway
from telnyx_drivers.testing.virtual_loop import VirtualLoop
from tests.telemetry.world import run, wall

ALARM = Alarm(severity="error", code=45001, name="NETWORK", message="It is gone.", call=None, at=7.0)


def test_the_same_is_told_once_a_minute() -> None:
    told: list[Alarm] = []

    async def story(gateway: VirtualGateway, client: VirtualClient) -> None:
        for pause in (10.0, 10.0, 60.0, 10.0):
            client.network_changed("offline")
            await anyio.sleep(pause)
            client.network_changed("online")
            await anyio.sleep(pause)

    run(story, lambda client: Alarms(client, told.append, wall=wall))
    assert len(told) >= 2
    for one in told:
        same = [each.at for each in told if (each.name, each.call) == (one.name, one.call)]
        assert all(later - earlier >= 60.0 for earlier, later in pairwise(same))
    assert not any(each.severity == "critical" for each in told), "the session was closed as was asked for"


def test_the_end_of_a_session_is_critical() -> None:
    told: list[Alarm] = []

    async def story(gateway: VirtualGateway, client: VirtualClient) -> None:
        gateway.punt(USER)
        await anyio.sleep(120.0)

    run(story, lambda client: Alarms(client, told.append, wall=wall))
    assert [(each.code, each.severity) for each in told][-1] == (None, "critical")


class Receiver:
    """Answers with one status after the other, and keeps what was posted."""

    def __init__(self, *answers: HttpAnswer | OSError) -> None:
        self.answers = list(answers)
        self.posts: list[tuple[Mapping[str, str], bytes]] = []
        self.closed = False

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> HttpAnswer:
        self.posts.append((headers, body))
        answer = self.answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    async def aclose(self) -> None:
        self.closed = True


def on(loop: str, receiver: Receiver) -> tuple[bool, float]:
    """Whether it got there, and how many seconds it took."""

    async def main() -> tuple[bool, float]:
        at_once.set(True)
        began = anyio.current_time()
        hook = Webhook("https://user:pass@hooks.test/x", secret="s3cret", poster=lambda: receiver, wall=lambda: 1_000.0)
        assert "pass" not in repr(hook)
        sent = await hook(ALARM)
        await hook.aclose()
        return sent, anyio.current_time() - began

    options: dict[str, Any] = (
        {"clock": trio.testing.MockClock(autojump_threshold=0.05)} if loop == "trio" else {"loop_factory": VirtualLoop}
    )
    return anyio.run(main, backend=loop, backend_options=options)


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_what_does_not_arrive_is_sent_again(loop: str) -> None:
    receiver = Receiver(HttpAnswer(500), OSError("refused"), HttpAnswer(503, retry_after=30.0), HttpAnswer(204))
    assert on(loop, receiver) == (True, pytest.approx(33.0, abs=0.5))
    assert receiver.closed
    assert len(receiver.posts) == 4
    for headers, body in receiver.posts:
        assert json.loads(body) == ALARM.to_mapping()
        assert verify("s3cret", headers[HEADER], body, now=1_010.0)


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_what_never_arrives_is_logged(loop: str, caplog: pytest.LogCaptureFixture) -> None:
    receiver = Receiver(*[HttpAnswer(500)] * 5)
    assert on(loop, receiver) == (False, pytest.approx(15.0, abs=0.5))
    assert "HTTP 500" in caplog.text
    assert "pass" not in caplog.text


def test_a_signature_is_of_this_body_this_secret_and_this_time() -> None:
    posted: list[tuple[Mapping[str, str], bytes]] = []
    receiver = Receiver(HttpAnswer(200))
    receiver.posts = posted
    on("asyncio", receiver)
    headers, body = posted[0]
    good = headers[HEADER]
    assert verify("s3cret", good, body, now=1_000.0)
    for secret, header, text, now in (
        ("other", good, body, 1_000.0),
        ("s3cret", good, body + b" ", 1_000.0),
        ("s3cret", good, body, 1_301.0),
        ("s3cret", good.replace("t=1000", "t=1001"), body, 1_000.0),
        ("s3cret", "", body, 1_000.0),
        ("s3cret", "t=x,v1=é", body, 1_000.0),
    ):
        assert not verify(secret, header, text, now=now)


@pytest.mark.parametrize(("url", "secret"), [("ftp://x", "s"), ("https://x", "")])
def test_a_webhook_that_cannot_be_is_refused(url: str, secret: str) -> None:
    with pytest.raises(ValueError, match="webhook"):
        Webhook(url, secret=secret)
