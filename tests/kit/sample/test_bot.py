"""Tests of the bot as a project has them; `tests/kit/test_plugin.py` runs them, and puts two files of speech here."""

import asyncio

import pytest
from bot import GREETING, broken, echo, menu, polite, rude, terse

from telnyx_drivers.asyncio import TelnyxRTC
from telnyx_drivers.testing import BargeIn, HangUp, Listen, Lose, Pause, Press, Say

QUESTION = GREETING.with_name("question.wav")


def test_the_menu(virtual_call):
    conversation = virtual_call(menu, Listen(), Press("5"), Pause(2.0))
    conversation.assert_heard(GREETING)
    conversation.assert_digits("5")
    assert conversation.hung_up_by == "client"


def test_the_menu_on_a_real_line(caller):
    conversation = caller(menu, Listen(), Press("5"), Pause(5.0))
    conversation.assert_heard(GREETING, likeness=0.5)
    conversation.assert_digits("5")
    conversation.assert_quality(mos=1.5)
    assert conversation.hung_up_by == "client"


def test_whoever_is_interrupted_falls_silent(virtual_call):
    conversation = virtual_call(polite, BargeIn(QUESTION, after=0.6), Pause(1.0))
    conversation.assert_yields_within(0.5)
    assert conversation.hung_up_by == "far_end"


def test_what_is_said_is_answered(virtual_call):
    conversation = virtual_call(echo, Say(QUESTION), Listen(), HangUp())
    conversation.assert_heard(QUESTION)
    with pytest.raises(AssertionError, match=r"answered nothing|not within"):
        conversation.assert_answers_within(0.01)


def test_a_bad_line_is_seen(caller):
    conversation = caller(echo, Lose(0.2), Say(QUESTION), Pause(0.5))
    assert conversation.loss > 5
    with pytest.raises(AssertionError, match="MOS"):
        conversation.assert_quality(mos=4.2)


def test_a_bad_line_is_the_same_one_each_time(virtual_call):
    one, again, other = (virtual_call(echo, Lose(0.2), Say(QUESTION), seed=seed) for seed in (1, 1, 2))
    assert one.loss == again.loss > 5
    assert list(one.heard) == list(again.heard)
    assert list(one.heard) != list(other.heard)


def test_many(virtual_call):
    for seed in range(5):
        virtual_call(menu, Listen(), Press("7"), Pause(2.0), seed=seed).assert_digits("7")


def test_who_declines_has_not_answered(virtual_call):
    with pytest.raises(AssertionError, match="did not answer: USER_BUSY"):
        virtual_call(rude, Pause(1.0))


def test_what_the_bot_raises_is_raised_here(virtual_call, caller):
    for call in (virtual_call, caller):
        with pytest.raises(ZeroDivisionError, match="own mistake"):
            call(broken, Listen(timeout=2.0))


def test_an_asynchronous_program_is_called(telnyx_login, caller):
    async def program():
        async with TelnyxRTC(**telnyx_login) as client:
            serving = asyncio.create_task(client.serve(terse))
            conversation = await caller.start("alice", Pause(5.0))
            serving.cancel()
            return conversation

    asyncio.run(program()).assert_digits("1")


def test_a_client_without_async(telnyx_client):
    call = telnyx_client.new_call("echo", caller_number="+15550001111")
    call.wait_for_state("active", timeout=10)
    call.hangup()
