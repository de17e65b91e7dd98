"""A gateway whose media is 40 ms there and back, and which chooses its path as the platform does (PS-039, PS-041)."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from aioice.ice import StunProtocol
from attrs import evolve

from telnyx_core.states import CallState
from telnyx_drivers._tools.cli.arguments import ICE_CREDENTIAL, ICE_USERNAME
from telnyx_drivers._tools.cli.exits import Exit
from telnyx_drivers._webrtc import ice_serving, private
from telnyx_drivers._webrtc.engine import AiortcEngine
from telnyx_drivers._webrtc.ports import AnyLoop, EngineFactory
from telnyx_drivers._webrtc.settings import PeerSettings
from telnyx_drivers.asyncio import TelnyxRTC
from telnyx_drivers.gateway import Gateway
from tests.far_away import DELAY
from tests.media.rig import LOOPBACK, Pair, Side, agent_of, run, until
from tests.network.coturn import CREDENTIAL, LISTENS_ON, USER, Coturn
from tests.network.test_turn import hears_itself
from tests.programs import ROOT

pytestmark = [pytest.mark.net, pytest.mark.media]

TWO = PeerSettings(addresses=lambda: ["127.0.0.2", "127.0.0.3"])
SERVER = evolve(LOOPBACK, stands_in_for_server=True, delay=DELAY)


@pytest.mark.parametrize("offerer", ["client", "server"])
def test_two_addresses_reach_a_server_that_listens_to_one(offerer: str) -> None:
    """PS-039: "the server follows the **first** check that comes from a new address, nominating or not, and then the
    **last** check with USE-CANDIDATE; DTLS and RTP from any other address are dropped".
    """

    async def main() -> None:
        client, server = Side(TWO), Side(SERVER)
        pair = Pair(client, server) if offerer == "client" else Pair(server, client)
        await pair.connect()
        client.audio().hum(440)
        server.audio().hum(880)
        assert await server.audio().hears() == pytest.approx(440, abs=2)
        assert await client.audio().hears() == pytest.approx(880, abs=2)
        agents = [agent_of(side) for side in (client, server)]
        ours, its = (private.nominated(agent) for agent in agents)
        assert ours is not None
        assert its is not None
        assert its.remote_addr == ours.local_addr == agents[1].door.only
        await pair.aclose()

    run(main())


def test_what_comes_from_elsewhere_is_dropped() -> None:
    """Authentic or not: the server listens to the selected pair."""

    async def main() -> None:
        pair = Pair(Side(TWO), Side(SERVER))
        await pair.connect()
        pair.caller.audio().hum(440)
        await pair.callee.audio().hears(0.2)
        connection = agent_of(pair.caller)
        selected = private.nominated(connection)
        assert selected is not None
        (other,) = (each for each in connection._protocols if each is not selected.protocol)
        dropped = agent_of(pair.callee).door.dropped
        send = selected.protocol.transport.sendto
        for moved in (other.transport.sendto, send):
            before = dropped["media"]
            selected.protocol.transport.sendto = moved  # type: ignore[method-assign]
            if moved is send:
                assert await pair.callee.audio().hears() == pytest.approx(440, abs=2)
            else:
                await until(lambda before=before: dropped["media"] > before + 10)  # type: ignore[misc]
        await pair.aclose()

    run(main())


def engine_on(settings: PeerSettings) -> EngineFactory:
    return lambda setup: AiortcEngine(
        setup.report, source_factories=setup.sources, settings=settings, call_audio=setup.call_audio
    )


def test_a_client_with_two_addresses_is_heard_by_a_gateway_that_listens_to_one() -> None:
    """PS-039: "the server follows the **first** check that comes from a new address, nominating or not, and then the
    **last** check with USE-CANDIDATE; DTLS and RTP from any other address are dropped". Five calls, for chance decides
    which check is the last.
    """

    async def main() -> None:
        async with (
            Gateway(users={"alice": "secret"}, media_delay=DELAY) as gateway,
            TelnyxRTC(
                login="alice", password="secret", env=gateway.url, ice_servers=[], engine=AnyLoop(engine_on(TWO))
            ) as phone,
        ):
            for _ in range(5):
                call = await phone.new_call("echo", caller_number="1")
                await call.wait_for_state("active", timeout=5)
                await hears_itself(call)
                assert call.state is CallState.ACTIVE
                await call.hangup()

    run(main())


def test_a_gateway_moves_while_the_path_begins_and_then_only_after_a_long_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """PS-041: "Until ICE and DTLS are up it follows valid checks from another address; later only after a long
    silence".
    """
    monkeypatch.setattr(ice_serving, "SILENCE_SECONDS", 0.5)

    async def main() -> None:
        client, server = Side(TWO), Side(SERVER)
        pair = Pair(client, server)
        await pair.connect()
        server.audio().hum(880)
        assert await client.audio().hears(0.2) == pytest.approx(880, abs=4)
        near, far = (agent_of(side) for side in (client, server))
        selected, door = private.nominated(near), far.door
        assert selected is not None
        (other,) = (each for each in near._protocols if each is not selected.protocol)

        def check(protocol: StunProtocol) -> None:
            request = near.build_request(selected, nominate=True)
            assert near.remote_password is not None
            request.add_message_integrity(near.remote_password.encode())
            protocol.send_stun(request, selected.remote_addr)

        home, away = selected.local_addr, (other.local_candidate.host, other.local_candidate.port)
        assert door.only == home
        for _ in range(10):
            for protocol in (selected.protocol, other):
                check(protocol)
            await asyncio.sleep(0.1)
            assert door.only == home, "where it is, it is checked"
        selected.protocol.transport.sendto = lambda data, addr=None: None  # type: ignore[method-assign]
        while door.only == home:
            check(other)
            await asyncio.sleep(0.1)
        assert door.only == away
        await pair.aclose()

    run(main())


@pytest.mark.parametrize("trickle", [False, True])
def test_a_call_with_a_relay_is_heard(coturn: Coturn, trickle: bool) -> None:
    """With the default options there is one, and no such call had any audio."""

    async def main() -> None:
        async with (
            Gateway(users={"alice": "secret"}, media_delay=DELAY) as gateway,
            TelnyxRTC(login="alice", password="secret", env=gateway.url, ice_servers=[coturn.server()]) as phone,
        ):
            call = await phone.new_call("echo", caller_number="1", trickle_ice=trickle)
            await call.wait_for_state("active", timeout=10)
            await hears_itself(call)
            await call.hangup()

    run(main())


def command(*arguments: str, **environment: str) -> Any:
    """The document of a command, which must have gone well."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.far_away", *arguments, "--json"],
        env={"PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == Exit.OK, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_the_demo(tmp_path: Path) -> None:
    assert command("demo", "--record", str(tmp_path / "demo.wav"))["echo"]["correlation"] >= 0.9


@pytest.mark.slow
def test_the_diagnosis(coturn: Coturn) -> None:
    server = f"turn:{LISTENS_ON}:{coturn.port}"
    secrets = {ICE_USERNAME: USER, ICE_CREDENTIAL: CREDENTIAL}
    assert command("diagnose", "--local", "--ice-server", server, **secrets)["verdict"] == "ready"
