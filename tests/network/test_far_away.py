"""A gateway whose media is 40 ms there and back, and which chooses its path as the platform does (PS-039, PS-041)."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from telnyx_core.ice import Address
from telnyx_core.states import CallState
from telnyx_drivers._tools.cli.arguments import ICE_CREDENTIAL, ICE_USERNAME
from telnyx_drivers._tools.cli.exits import Exit
from telnyx_drivers._webrtc import ice_serving
from telnyx_drivers._webrtc.engine import AiortcEngine
from telnyx_drivers._webrtc.ports import AnyLoop, EngineFactory
from telnyx_drivers._webrtc.settings import PeerSettings
from telnyx_drivers.asyncio import TelnyxRTC
from telnyx_drivers.gateway import Gateway
from tests.far_away import DELAY
from tests.media.rig import LOOPBACK, Pair, Side, check_from, ice_of, other_socket, run, until
from tests.network.coturn import CREDENTIAL, LISTENS_ON, USER, Coturn
from tests.network.test_turn import hears_itself
from tests.programs import ROOT

pytestmark = [pytest.mark.net, pytest.mark.media]

TWO = PeerSettings(addresses=lambda: ["127.0.0.2", "127.0.0.3"])
SERVER = evolve(LOOPBACK, stands_in_for_server=True, delay=DELAY)


def listens_to(side: Side) -> Address | None:
    agent = ice_of(side).agent
    assert isinstance(agent, ice_serving.ServingAgent)
    return agent.listens_to


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
        ours, its = (ice_of(side).agent.path for side in (client, server))
        assert ours is not None
        assert its is not None
        assert its[1] == ours[0] == listens_to(server)
        await pair.aclose()

    run(main())


def test_what_comes_from_elsewhere_is_dropped() -> None:
    """Authentic or not: the server listens to the selected pair."""

    async def main() -> None:
        pair = Pair(Side(TWO), Side(SERVER))
        await pair.connect()
        pair.caller.audio().hum(440)
        await pair.callee.audio().hears(0.2)
        selected, other = ice_of(pair.caller)._socket, other_socket(ice_of(pair.caller))
        assert selected is not None
        dropped = ice_of(pair.callee).dropped
        send = selected.transport.sendto
        for moved in (other.transport.sendto, send):
            before = dropped["media"]
            selected.transport.sendto = moved  # type: ignore[method-assign]
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
        near = ice_of(client)
        selected, other = near._socket, other_socket(near)
        assert selected is not None
        assert listens_to(server) == selected.base
        for _ in range(10):
            for each in (selected, other):
                check_from(near, each)
            await asyncio.sleep(0.1)
            assert listens_to(server) == selected.base, "where it is, it is checked"
        selected.transport.sendto = lambda data, addr=None: None  # type: ignore[method-assign]
        while listens_to(server) == selected.base:
            check_from(near, other)
            await asyncio.sleep(0.1)
        assert listens_to(server) == other.base
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
