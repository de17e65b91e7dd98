"""What a call is told of its own audio, and what it orders of it; calls.md CALL-139, CALL-141, CALL-612, MEDIA-415."""

from typing import Any

import pytest

from telnyx_core.actions import Action, Done, Failed, OpenPeer, OpenSource, SetMaxBitRate
from telnyx_core.errors import FailureKind, InvalidCallState
from telnyx_core.events import ErrorRaised, WarningRaised
from telnyx_core.facts import AudioBroke, DigitSensed, RecordingFault, SourceOpened, SourceRefused
from telnyx_core.ids import CallId, MediaId
from telnyx_core.journal.record import Scrubber, fact_from_record, fact_record
from telnyx_core.testing.rig import Rig


def told(rig: Rig, kind: type[Action]) -> list[Any]:
    return [action for action in rig.actions if isinstance(action, kind)]


def media_of(rig: Rig) -> MediaId:
    (media,) = rig.ledger.peers
    return media


@pytest.mark.parametrize(("fault", "code"), [("permission", 42001), ("not_found", 42002), ("other", 42003)])
def test_media_415_what_breaks_in_mid_call_is_an_error_that_ends_nothing(fault: Any, code: int) -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.clear()
    rig.tell(AudioBroke(call, fault, "the cable is cut"))
    (event,) = rig.heard_of(ErrorRaised)
    assert (event.code, event.call, event.fatal, event.recoverable) == (code, call, False, False)
    assert event.error.causes
    assert event.error.solutions
    assert event.error.original is not None
    assert (event.error.original.kind, event.error.original.text) == (FailureKind.MEDIA, "the cable is cut")
    assert rig.info(call).state.value == "active"
    assert rig.sent == []


def test_nobody_hears_of_the_audio_of_a_call_that_is_over() -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.hangup(call)
    rig.clear()
    rig.tell(AudioBroke(call, "other", "late"))
    rig.tell(AudioBroke(CallId("never was"), "other", "late"))
    assert not rig.heard_of(ErrorRaised)


@pytest.mark.parametrize(("kind", "code"), [("unavailable", 32003), ("overflow", 32004)])
def test_a_recording_that_has_a_gap_or_ends_is_a_warning_with_its_reason(kind: Any, code: int) -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.tell(RecordingFault(call, kind, "recording: the disk is slow"))
    rig.tell(RecordingFault(call, kind))
    warnings = [(event.code, event.call, event.details) for event in rig.heard_of(WarningRaised)]
    assert warnings == [(code, call, {"reason": "recording: the disk is slow"}), (code, call, {})]


@pytest.mark.parametrize(
    "fact",
    [
        AudioBroke(CallId("c"), "other", "why"),
        RecordingFault(CallId("c"), "overflow", "why"),
        DigitSensed(CallId("c"), "0", 0.1),  # which digit it was is kept from journals
    ],
)
def test_a_journal_brings_them_back(fact: Any) -> None:
    assert fact_from_record(fact_record(fact, Scrubber())) == fact


def test_media_411_another_source_is_kept_for_later_peers() -> None:
    rig = Rig.registered()
    call = rig.outbound("active", micId="desk")
    rig.clear()
    ticket = rig.set_source(call, "headset")
    media = media_of(rig)
    assert told(rig, OpenSource) == [OpenSource(media, "headset")]
    assert ticket not in rig.outcomes
    rig.tell(SourceOpened(media, "a headset"))
    assert rig.outcomes[ticket] == Done()
    assert rig.info(call).state.value == "active"
    rig.clear()
    rig.attach(call)
    rig.remote_applied(call)
    assert [action.source for action in told(rig, OpenSource)] == ["headset"]


@pytest.mark.parametrize(("fault", "code"), [("permission", 42001), ("not_found", 42002), ("other", 42003)])
def test_call_612_a_source_that_cannot_be_opened_changes_nothing(fault: Any, code: int) -> None:
    rig = Rig.registered()
    call = rig.outbound("active", micId="desk")
    rig.clear()
    ticket = rig.set_source(call, "headset")
    rig.tell(SourceRefused(media_of(rig), fault, "unplugged"))
    (event,) = rig.heard_of(ErrorRaised)
    assert (event.code, event.fatal, event.recoverable) == (code, False, False)
    outcome = rig.outcomes[ticket]
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind is FailureKind.MEDIA
    assert rig.sent == []
    assert rig.info(call).state.value == "active"
    rig.clear()
    rig.attach(call)
    rig.remote_applied(call)
    assert [action.source for action in told(rig, OpenSource)] == ["desk"]


def test_two_switches_are_answered_in_their_order() -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    first, second = rig.set_source(call, "a"), rig.set_source(call, None)
    media = media_of(rig)
    rig.tell(SourceRefused(media, "not_found", "no a"))
    assert isinstance(rig.outcomes[first], Failed)
    rig.tell(SourceOpened(media, "silence"))
    assert rig.outcomes[second] == Done()


@pytest.mark.parametrize("options", [{}, {"audio": False, "receiveOnlyAudio": True}])
def test_call_630_without_a_sender_the_switch_is_skipped(options: dict[str, Any]) -> None:
    rig = Rig.registered()
    call = rig.dial(**options) if not options else rig.outbound("active", **options)
    rig.clear()
    ticket = rig.set_source(call, "headset")
    (event,) = rig.heard_of(WarningRaised)
    assert (event.code, event.call, event.details) == (33009, call, {"deviceId": "headset"})
    assert isinstance(rig.outcomes[ticket], Failed)
    assert not told(rig, OpenSource)


@pytest.mark.parametrize("how", ["hangup", "bye"])
def test_a_switch_that_the_call_does_not_live_to_see_is_settled(how: str) -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    ticket = rig.set_source(call, "headset")
    if how == "hangup":
        rig.hangup(call)
    else:
        rig.request("bye", callID=call)
    assert isinstance(rig.outcomes[ticket], Failed)


def test_media_046_a_bit_rate_is_ordered_of_every_peer_there_is_and_will_be() -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    media = media_of(rig)
    rig.clear()
    rig.set_max_bit_rate(call, 12_000)
    assert told(rig, SetMaxBitRate) == [SetMaxBitRate(media, 12_000)]
    rig.attach(call)
    (opened,) = told(rig, OpenPeer)
    assert opened.config.max_bit_rate == 12_000
    rig.clear()
    rig.set_max_bit_rate(call, None)
    assert {action.bits_per_second for action in told(rig, SetMaxBitRate)} == {None}


def test_a_bit_rate_is_at_least_one_and_of_a_call_that_lives() -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.clear()
    with pytest.raises(ValueError, match="at least 1"):
        rig.set_max_bit_rate(call, 0)
    assert not told(rig, SetMaxBitRate)
    rig.hangup(call)
    with pytest.raises(InvalidCallState):
        rig.set_max_bit_rate(call, 12_000)
    with pytest.raises(InvalidCallState):
        rig.set_source(call, "headset")
