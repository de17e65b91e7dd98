"""Digits on the two ways that there are: as a message, and in the audio stream (CALL-135, SRV-005, RFC 4733)."""

from typing import Any

import pytest

from telnyx_core._time.limits import MAX_QUEUED_DIGITS
from telnyx_core.actions import Done, Failed, SendDigits
from telnyx_core.events import DigitReceived
from telnyx_core.facts import DigitsRefused, DigitsSent
from telnyx_core.gateway.events import DigitsReceived
from telnyx_core.ids import CallId, MediaId
from telnyx_core.options import Codec
from telnyx_core.testing.rig import REMOTE_SDP, Rig
from telnyx_drivers.asyncio import CallFailed, TelnyxRTC
from telnyx_drivers.gateway import Gateway
from tests.media.rig import run

OPUS, PCMU = Codec("audio/opus", 48_000), Codec("audio/PCMU", 8_000)


def test_digits_in_the_stream_are_ordered_of_the_engine_and_settled_by_it() -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.clear()
    first, second = rig.dtmf(call, "1w2", "rtp"), rig.dtmf(call, "3", "rtp")
    media = rig.peers[call][-1]
    assert rig.actions == [SendDigits(media, "1w2"), SendDigits(media, "3")]
    assert rig.sent == []
    rig.tell(DigitsSent(media))
    rig.tell(DigitsRefused(media, "no telephone-event"))
    assert isinstance(rig.outcomes[first], Done)
    refused = rig.outcomes[second]
    assert isinstance(refused, Failed)
    assert "no telephone-event" in str(refused.failure)


@pytest.mark.parametrize("ending", ["hangup", "attach"])
def test_a_command_does_not_outlive_its_peer(ending: str) -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    ticket = rig.dtmf(call, "123", "rtp")
    if ending == "hangup":
        rig.hangup(call)
    else:
        rig.come_back(call)
        rig.attach(call)
        rig.describe_answer()
        rig.peer("connected")
    outcome = rig.outcomes[ticket]
    assert isinstance(outcome, Failed)
    media = rig.peers[call][0]
    rig.tell(DigitsSent(media))


@pytest.mark.parametrize(("digits", "via"), [("12x", "rtp"), ("", "rtp"), ("1", "sip")])
def test_a_mistake_changes_nothing(digits: str, via: Any) -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.clear()
    with pytest.raises(ValueError, match="digits"):
        rig.dtmf(call, digits, via)
    assert rig.actions == []


@pytest.mark.media
@pytest.mark.parametrize("codec", [OPUS, PCMU], ids=["opus", "PCMU"])
def test_digits_cross_in_the_stream_both_ways(codec: Codec) -> None:
    """SRV-005: each codec has a clock of its own, and its events go by that."""

    async def main() -> None:
        async with (
            Gateway(users={"alice": "secret"}) as gateway,
            TelnyxRTC(login="alice", password="secret", env=gateway.url) as phone,
        ):
            call = await phone.new_call("echo", caller_number="1", preferred_codecs=[codec])
            await call.wait_for_state("active", timeout=10)
            assert await call.dtmf("1w#d", via="rtp") == {}
            await gateway.wait_for(DigitsReceived, lambda event: event.digits == "D")
            got = [event for event in gateway.history if isinstance(event, DigitsReceived)]
            assert [(event.digits, event.via) for event in got] == [("1", "audio"), ("#", "audio"), ("D", "audio")]
            await call.dtmf("5")
            by_message = await gateway.wait_for(DigitsReceived, lambda event: event.digits == "5")
            assert by_message.via == "info"
            events = call.events()
            gateway.digits(call.id, "7w#A")
            heard: list[DigitReceived] = []
            async for event in events:
                if isinstance(event, DigitReceived):
                    heard.append(event)
                    if len(heard) == 3:
                        break
            assert [(event.call, event.digit) for event in heard] == [(call.id, digit) for digit in "7#A"]
            assert all(event.duration == pytest.approx(0.1, abs=0.021) for event in heard)
            await call.hangup()

    run(main())


@pytest.mark.media
def test_a_far_end_that_takes_no_digits_is_told_of() -> None:
    async def main() -> None:
        async with (
            Gateway(users={"alice": "secret"}) as gateway,
            TelnyxRTC(login="alice", password="secret", env=gateway.url) as alice,
        ):
            call = await alice.new_call("echo", caller_number="1")
            await call.wait_for_state("active", timeout=10)
            await anext(call.audio_in())
            path = alice._driver.engine()._peers[1][0]._path  # type: ignore[attr-defined]
            path._leg.sender.digits = None
            with pytest.raises(CallFailed, match="takes no digits in the audio stream"):
                await call.dtmf("1", via="rtp")
            await call.hangup()

    run(main())


def renewing() -> tuple[Rig, CallId]:
    """A call whose path is just being replaced: the new one is described, and the server asked."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.restart_media(call)
    rig.media_ok()
    rig.describe()
    return rig, call


def orders(rig: Rig) -> list[tuple[MediaId, str]]:
    return [(action.media, action.digits) for action in rig.actions if isinstance(action, SendDigits)]


def connect(rig: Rig) -> None:
    rig.reply("modify", {"action": "updateMedia", "sdp": REMOTE_SDP})
    rig.remote_applied()
    rig.peer("connected")


def test_digits_wait_for_the_path_that_is_just_being_built() -> None:
    """The server may listen to the new one already. They were refused with the old peer's end."""
    rig, call = renewing()
    first, second = rig.dtmf(call, "1w2", "rtp"), rig.dtmf(call, "3", "rtp")
    assert orders(rig) == []
    connect(rig)
    new = rig.peers[call][-1]
    assert orders(rig) == [(new, "1w2"), (new, "3")]
    rig.tell(DigitsSent(new))
    rig.tell(DigitsSent(new))
    assert rig.outcomes[first] == rig.outcomes[second] == Done()


def test_of_digits_that_are_being_sent_when_the_path_is_replaced_the_rest_goes_over_the_new_one() -> None:
    """The first command has begun, and how much of it was heard is not known: to say it again might be worse."""
    rig = Rig.registered()
    call = rig.outbound("active")
    under_way, behind = rig.dtmf(call, "123", "rtp"), rig.dtmf(call, "45", "rtp")
    rig.restart_media(call)
    later = rig.dtmf(call, "6", "rtp")
    rig.media_ok()
    rig.describe()
    connect(rig)
    outcome = rig.outcomes[under_way]
    assert isinstance(outcome, Failed)
    assert "some may have been heard" in str(outcome.failure)
    old, new = rig.peers[call]
    assert orders(rig) == [(old, "123"), (old, "45"), (new, "45"), (new, "6")]
    rig.tell(DigitsSent(new))
    rig.tell(DigitsSent(new))
    assert rig.outcomes[behind] == rig.outcomes[later] == Done()


@pytest.mark.parametrize("healthy", [True, False])
def test_digits_go_over_the_old_path_where_the_new_one_comes_to_nothing(healthy: bool) -> None:
    rig, call = renewing()
    rig.always("ping", {})
    ticket = rig.dtmf(call, "1", "rtp")
    old = rig.peers[call][0]
    if not healthy:
        rig.peer("failed", old)
    rig.reply("modify", error=(-32002, "no"))
    if healthy:
        assert orders(rig) == [(old, "1")]
        rig.tell(DigitsSent(old))
        assert rig.outcomes[ticket] == Done()
    else:
        assert orders(rig) == []
        outcome = rig.outcomes[ticket]
        assert isinstance(outcome, Failed)
        assert "another one could not be connected" in str(outcome.failure)
        later = rig.dtmf(call, "2", "rtp")
        rig.advance(3)
        rig.media_ok()
        rig.describe()
        connect(rig)
        assert orders(rig) == [(rig.peers[call][-1], "2")]
        rig.tell(DigitsSent(rig.peers[call][-1]))
        assert rig.outcomes[later] == Done()


@pytest.mark.parametrize(("how", "why"), [("lost", "the socket was lost"), ("hangup", "the call ended")])
def test_digits_that_wait_end_with_what_they_wait_for(how: str, why: str) -> None:
    rig, call = renewing()
    ticket = rig.dtmf(call, "1", "rtp")
    if how == "lost":
        rig.lose()
    else:
        rig.hangup(call)
    outcome = rig.outcomes[ticket]
    assert isinstance(outcome, Failed)
    assert why in str(outcome.failure)


def test_digits_that_wait_are_bounded() -> None:
    rig, call = renewing()
    tickets = [rig.dtmf(call, "1", "rtp") for _ in range(MAX_QUEUED_DIGITS + 1)]
    assert [ticket for ticket in tickets if ticket in rig.outcomes] == tickets[-1:]
