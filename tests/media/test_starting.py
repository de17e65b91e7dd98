"""How a path begins, to a far end that hears one address of ours only (PS-039, PS-041)."""

import asyncio
from struct import pack
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL

from telnyx_core.actions import ApplyRemote, CreateAnswer, CreateOffer, UseMedia
from telnyx_core.ice import Timing, stun
from telnyx_core.options import IceServer
from telnyx_drivers._webrtc.dtls import records
from telnyx_drivers._webrtc.settings import PeerSettings
from tests.ice.inside import current
from tests.media import servers
from tests.media.attempts import Cell, Kind, Ways, attempt
from tests.media.rig import Side, check_from, ice_of, other_socket, run, until
from tests.media.server_end import ServerEnd, Setup

media = pytest.mark.media
TWO = PeerSettings(addresses=lambda: ["127.0.0.2", "127.0.0.3"])


@media
@pytest.mark.parametrize("kind", ["first", "renewal", "re-attach"])
@pytest.mark.parametrize(
    ("ways", "setup", "controlling"),
    [("two", "active", False), ("two and TURN", "passive", True)],
)
def test_audio_flows_both_ways_however_many_addresses_there_are(
    kind: Kind, ways: Ways, setup: Setup, controlling: bool
) -> None:
    """60 ms away. The server listens to the pair whose check came last, until another one is nominated again.

    Once it has been answered where it is, nothing may draw it away: it would stay there for a second.
    """

    async def main() -> None:
        relay = servers.TurnServer()
        server = IceServer(f"turn:127.0.0.1:{await servers.serve(relay)}?transport=udp", "user", "secret")
        cell = Cell(kind=kind, ways=ways, round_trip=0.06, setup=setup, controlling=controlling)
        outcome = await attempt(evolve(cell, servers=(server,) if "TURN" in ways else ()))
        assert outcome.seconds is not None, outcome
        assert not outcome.drawn_away, outcome
        relay.close()

    run(main())


async def first_call(near: Side, far: ServerEnd) -> None:
    media = near.open(1, "offer")
    near.perform(CreateOffer(media))
    near.perform(ApplyRemote(media, "answer", far.answer(await near.description(media))), UseMedia(media))


@media
@pytest.mark.parametrize("setup", ["active", "passive"])
def test_a_late_check_from_another_address_takes_nothing_away(setup: Setup) -> None:
    """PS-041: "Until ICE and DTLS are up it follows valid checks from another address": one may have been on its
    way for long. PS-039: "So the selected pair is nominated again and again until then".
    """

    async def main() -> None:
        near, held = Side(TWO), True
        # Until they have come, the handshake goes on: afterwards no check draws a server away.
        async with ServerEnd(setup=setup, delay=0.01, loses=lambda data: held and 20 <= data[0] < 64) as far:
            await first_call(near, far)
            await until(lambda: ice_of(near)._socket is not None)
            other = other_socket(ice_of(near))
            # It comes again and again, like the repeated checks of an agent that has not been told to stop.
            for _ in range(5):
                check_from(ice_of(near), other)
                await asyncio.sleep(0.03)
            held = False
            await until(lambda: far.heard > 10)
            assert far.counted["moves"] > 1
        await near.engine.aclose()

    run(main())


@media
def test_a_check_of_the_servers_own_starts_no_check_from_another_address() -> None:
    """Servers check the first address in our description, which need not be the one that works best."""

    async def main() -> None:
        near = Side(TWO)
        async with ServerEnd() as far:
            await first_call(near, far)
            await until(lambda: far.heard > 0)
            path, other = ice_of(near).agent.path, other_socket(ice_of(near))
            sent: list[bytes] = []
            other.transport.sendto = lambda data, addr=None: sent.append(bytes(data))  # type: ignore[method-assign]
            far.follows = other.base
            await until(lambda: bool(sent))
            await asyncio.sleep(2 * Timing().nominate)
            assert {stun.decode(data).kind for data in sent} == {stun.Kind.SUCCESS}
            assert ice_of(near).agent.path == path
        await near.engine.aclose()

    run(main())


@media
def test_once_a_controlling_server_has_chosen_no_other_address_is_checked() -> None:
    """It would move to an address that is new to it, drop our handshake, and come back with its next check."""

    async def main() -> None:
        near = Side(TWO)
        async with ServerEnd(controlling=True, loses=lambda data: True) as far:
            media = near.open(1, "answer")
            near.perform(ApplyRemote(media, "offer", far.offer()), CreateAnswer(media), UseMedia(media))
            answer = await near.description(media)
            agent = ice_of(near).agent
            await until(lambda: all(each.checked_at is not None for each in current(agent).checklist))
            chosen, other = ice_of(near).sockets.values()
            sent: dict[Any, list[bytes]] = {chosen: [], other: []}

            def send(to: Any, data: bytes) -> None:
                if any(pair.nominated_at is not None for pair in current(agent).checklist):
                    sent[to].append(data)

            for socket in sent:
                socket.transport.sendto = lambda data, addr, to=socket: send(to, data)
            far.accept(answer)
            far.follows = chosen.base
            requests = lambda of: [each for each in sent[of] if stun.decode(each).kind is stun.Kind.REQUEST]  # noqa: E731
            await until(lambda: len(requests(chosen)) > 5)
            assert requests(other) == []
        await near.engine.aclose()

    run(main())


@media
def test_a_path_that_is_closed_at_first_is_checked_in_short_turns_and_nothing_else_is_sent() -> None:
    """The library's own checks come after 0, 0.5, 1.5, 3.5, 7.5 and 15.5 seconds."""

    async def main() -> None:
        near, came = Side(TWO), list[bytes]()
        async with ServerEnd(loses=lambda data: not came.append(data)) as far:
            await first_call(near, far)
            await until(lambda: len(came) > 40)
            assert {data[0] for data in came} <= {0, 1}, "checks, and answers to those of the far end"
            far.loses = lambda data: False
            await near.state("connected")
            await until(lambda: far.heard > 10)
        await near.engine.aclose()

    run(main())


@media
def test_a_far_end_that_has_finished_and_was_not_heard_says_it_again() -> None:
    """RFC 6347 section 4.2.4: it repeats its last flight when ours comes again; encrypted anew, for as it was it is a
    replay, which is dropped."""

    async def main() -> None:
        near = Side()
        async with ServerEnd(setup="passive") as far:
            lost: list[bytes] = []
            send = far._send

            def lossy(data: bytes, address: tuple[str, int]) -> None:
                if far.up and 20 <= data[0] < 64 and not lost:
                    lost.append(data)
                else:
                    send(data, address)

            far._send = lossy  # type: ignore[method-assign]
            await first_call(near, far)
            await near.state("connected")
            assert lost
            await until(lambda: far.heard > 3)
        await near.engine.aclose()

    run(main())


@media
@pytest.mark.parametrize(("setup", "lost"), [("active", 2), ("passive", 2), ("active", 6), ("passive", 6)])
def test_lost_packets_of_the_handshake_are_repeated(setup: Setup, lost: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenSSL alone would say it again after a second, and again after two. Here it never does.

    A server that listens elsewhere for a second loses more of them than a network does.

    RFC 6347 section 4.1.2.6: a record with an old number is a replay. Encrypted ones stay as they are.
    """

    async def main() -> None:
        near = Side(TWO)
        came: list[bytes] = []
        monkeypatch.setattr(SSL.Connection, "DTLSv1_get_timeout", lambda self: None)
        async with ServerEnd(setup=setup, lose_first=lost, loses=lambda data: bool(came.append(data))) as far:
            await first_call(near, far)
            await near.state("connected")
            await until(lambda: far.heard > 0)
            assert far.lose_first == 0
            assert far.counted["DTLS errors"] == 0
            plain = [
                record for data in came if 20 <= data[0] < 64 for record in records(data) if record[3:5] == bytes(2)
            ]
            assert len(plain) > 2
            assert len({record[5:11] for record in plain}) == len(plain)
        await near.engine.aclose()

    run(main())


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_records_are_told_apart(bodies: list[bytes]) -> None:
    said = [bytes([22, 254, 253, *bytes(8)]) + pack("!H", len(body)) + body for body in bodies]
    assert records(b"".join(said)) == said
