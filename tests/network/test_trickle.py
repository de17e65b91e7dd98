"""Candidates one by one: what is sent to a server that knows them, and to one that does not (media.md section 4)."""

from typing import Any

import pytest

from telnyx_core.events import ErrorRaised, WarningRaised
from telnyx_core.gateway.events import CallStarted, CandidateReceived
from telnyx_core.gateway.options import Quirks
from telnyx_core.testing.rig import REMOTE_SDP, Rig
from telnyx_drivers.asyncio import TelnyxRTC
from telnyx_drivers.gateway import Gateway
from tests.media.rig import run
from tests.network.coturn import RELAYS_FROM, Coturn
from tests.network.test_turn import far_end, hears_itself

HOST = "candidate:1 1 udp 2130706431 192.0.2.1 40000 typ host"
RELAY = "candidate:3 1 udp 16777215 203.0.113.9 40002 typ relay raddr 0.0.0.0 rport 9"
UNKNOWN = (-32601, "Method not found")


def trickling(**options: object) -> Rig:
    """A call whose description is out, with its first candidate."""
    rig = Rig.registered(trickleIce=True, **options)
    rig.dial()
    rig.media_ok()
    rig.describe("v=0\r\n", complete=False)
    rig.candidate(HOST)
    return rig


def methods(rig: Rig) -> list[str]:
    return [str(frame["method"]).removeprefix("telnyx_rtc.") for frame in rig.sent if "method" in frame]


def test_a_server_that_knows_no_candidates_is_sent_no_more_of_them() -> None:
    """SRV-030: not even the end; the call itself goes on."""
    rig = trickling()
    rig.reply("invite", {"callID": "x"})
    rig.clear()
    rig.reply("candidate", error=UNKNOWN)
    rig.candidate(RELAY)
    rig.describe("v=0\r\n", complete=True)
    assert methods(rig) == []
    assert not rig.heard_of(ErrorRaised)
    assert not rig.heard_of(WarningRaised)


def test_the_next_call_is_described_completely() -> None:
    """SRV-030: for as long as this socket lasts; behind the next one there may be another server."""
    rig = trickling()
    rig.reply("candidate", error=UNKNOWN)
    rig.clear()
    for trickle in (False, True):
        call = rig.dial()
        assert rig.ledger.peers[rig.peers[call][-1]].config.trickle is trickle
        rig.media_ok()
        rig.describe(complete=True)
        assert rig.params("invite").get("trickle") is (True if trickle else None)
        rig.come_back()


def test_an_error_of_another_kind_means_nothing() -> None:
    rig = trickling()
    rig.clear()
    rig.reply("candidate", error=(-32002, "CALL DOES NOT EXIST"))
    rig.candidate(RELAY)
    assert methods(rig) == ["candidate"]


@pytest.mark.parametrize("refused", [True, False])
def test_a_lost_path_is_renewed_with_all_its_candidates_where_the_server_takes_no_single_ones(refused: bool) -> None:
    """SRV-030, MEDIA-217."""
    rig = trickling()
    call = next(iter(rig.peers))
    rig.always("ping", {})
    rig.reply("invite", {"callID": call})
    if refused:
        rig.reply("candidate", error=UNKNOWN)
    rig.request("answer", callID=call, sdp=REMOTE_SDP)
    rig.remote_applied()
    rig.peer("connected")
    assert rig.states(call)[-1] == "active"
    rig.clear()
    rig.peer("failed")
    rig.media_ok()
    rig.candidate(RELAY)
    rig.describe(f"v=0\r\na={HOST}\r\na={RELAY}\r\n", complete=True)
    if refused:
        assert rig.params("modify")["sdp"] == f"v=0\r\na={HOST}\r\na={RELAY}\r\n"
        assert "trickle" not in rig.params("modify")
    else:
        assert rig.params("modify")["trickle"] is True


@pytest.mark.parametrize(("others", "warned"), [((), 1), ((RELAY,), 0)])
def test_host_candidates_alone_are_warned_of_when_gathering_is_over(others: tuple[str, ...], warned: int) -> None:
    """MEDIA-104: the first description of a trickling call has no more to show."""
    rig = trickling()
    rig.clear()
    for candidate in others:
        rig.candidate(candidate)
    assert 33005 not in rig.codes
    rig.describe("v=0\r\n", complete=True)
    assert rig.codes.count(33005) == warned


def phone(gateway: Gateway, **options: Any) -> TelnyxRTC:
    return TelnyxRTC(login="alice", password="secret", env=gateway.url, trickle_ice=True, **options)


@pytest.mark.media
@pytest.mark.parametrize("known", [True, False])
def test_a_relay_reaches_a_gateway_that_knows_candidates_and_one_that_does_not(coturn: Coturn, known: bool) -> None:
    """MEDIA-100 to MEDIA-105, SRV-030: the first description is empty, for there is nothing but a relay to come."""

    async def main() -> None:
        async with (
            Gateway(users={"alice": "secret"}, quirks=Quirks(trickle=known)) as gateway,
            phone(
                gateway,
                ice_servers=[coturn.server("tcp")],
                force_relay_candidate=True,
                prefetch_ice_candidates=False,
            ) as client,
        ):
            for number in range(2):
                call = await client.new_call("echo", caller_number="1")
                await call.wait_for_state("active", timeout=10)
                await hears_itself(call)
                assert {each.address.host for each in far_end(gateway, call).remote_candidates} == {RELAYS_FROM}
                started = await gateway.wait_for(CallStarted, lambda event, call=call: event.call == call.id)
                trickled = [
                    event.candidate
                    for event in gateway.history
                    if isinstance(event, CandidateReceived) and event.call == call.id
                ]
                complete = not known and number > 0
                assert ("typ relay" in str(started.params["sdp"])) is complete
                assert started.params.get("trickle") is (None if complete else True)
                if known:
                    assert " typ relay" in trickled[0]
                    assert trickled[1:] == [""], "the end of candidates, once"
                else:
                    assert not trickled
                await call.hangup()

    run(main())


@pytest.mark.media
@pytest.mark.parametrize("direction", ["outbound", "inbound"])
def test_both_ends_may_trickle_in_either_role(coturn: Coturn, direction: str) -> None:
    """MEDIA-101, MEDIA-102, MEDIA-110 to MEDIA-115: candidates before and after the descriptions, both ways."""

    async def main() -> None:
        async with (
            Gateway(users={"alice": "secret"}, quirks=Quirks(trickle_out=True)) as gateway,
            phone(gateway, ice_servers=[coturn.server()]) as client,
        ):
            if direction == "outbound":
                call = await client.new_call("echo", caller_number="1")
            else:
                gateway.call_user("alice", from_number="2", behaviour="echo")
                call = await anext(client.incoming())
                await call.answer()
            await call.wait_for_state("active", timeout=10)
            await hears_itself(call)
            ended = await gateway.wait_for(CandidateReceived, lambda event: not event.candidate)
            assert ended.call == call.id
            await call.hangup()

    run(main())
