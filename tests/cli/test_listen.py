"""What a listener makes of a call that does not come about. The listener as a program: `test_end_to_end`."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from telnyx_core import CallState, ErrorCode, InvalidCallState
from telnyx_core.catalogue import make_error
from telnyx_core.errors import LocalProtocolError
from telnyx_core.events import ErrorRaised, Event
from telnyx_drivers._exceptions import CallFailed
from telnyx_drivers._tools.cli.conversation import Conversation, Plan
from telnyx_drivers._tools.cli.exits import Exit
from telnyx_drivers._tools.cli.listen import _converse
from telnyx_drivers._tools.cli.output import Output


class Caller(SimpleNamespace):
    """A ringing call, of which the far end lets go while it is being answered."""

    def __init__(self, failure: Exception, *events: Event) -> None:
        super().__init__(id="c", direction="inbound", state=CallState.RINGING, live=True)
        self.info = SimpleNamespace(answered=False)
        self.failure, self.told = failure, events

    async def events(self) -> Any:
        for event in self.told:
            yield event

    async def answer(self) -> None:
        self.live = False
        raise self.failure


def served(caller: Any) -> Exit:
    async def work() -> Exit:
        conversation = Conversation(caller, Plan(), Output(json=False), "+1555", label="+1555: ")
        await _converse(conversation, conversation._output)
        return conversation.status

    return asyncio.run(work())


@pytest.mark.parametrize("failure", [InvalidCallState("the call has ended"), CallFailed("the call has ended")])
def test_a_caller_who_gives_up_before_the_answer_is_no_failure(
    failure: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    assert served(Caller(failure)) is Exit.OK
    assert capsys.readouterr().out == "✓ +1555: The caller gave up before the answer\n"


def test_a_call_that_could_not_be_answered_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    refused = ErrorRaised(error=make_error(ErrorCode.MEDIA_GET_USER_MEDIA_FAILED))
    assert served(Caller(CallFailed("no media"), refused)) is Exit.FAILED
    assert "no media" in "".join(capsys.readouterr())


def test_a_command_that_was_wrong_is_one() -> None:
    assert served(Caller(LocalProtocolError("not like this"))) is Exit.FAILED
