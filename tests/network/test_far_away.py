"""A gateway whose media is 40 ms there and back, and which chooses its path as the platform does (PS-039, PS-041)."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from telnyx_drivers.asyncio import TelnyxRTC
from telnyx_drivers.cli.diagnose import ICE_CREDENTIAL, ICE_USERNAME
from telnyx_drivers.cli.exits import Exit
from telnyx_drivers.gateway import Gateway
from telnyx_drivers.media import aiortc_private as private
from telnyx_drivers.media.settings import PeerSettings
from tests.far_away import DELAY
from tests.media.rig import LOOPBACK, Pair, Side, peer_of, run, until
from tests.network.coturn import CREDENTIAL, LISTENS_ON, USER, Coturn
from tests.network.test_turn import hears_itself
from tests.programs import ROOT

pytestmark = [pytest.mark.net, pytest.mark.media]

TWO = PeerSettings(addresses=lambda: ["127.0.0.2", "127.0.0.3"])
SERVER = evolve(LOOPBACK, stands_in_for_server=True, delay=DELAY)


@pytest.mark.parametrize("offerer", ["client", "server"])
def test_two_addresses_reach_a_server_that_listens_to_one(offerer: str) -> None:
    async def main() -> None:
        client, server = Side(TWO), Side(SERVER)
        pair = Pair(client, server) if offerer == "client" else Pair(server, client)
        await pair.connect()
        client.audio().hum(440)
        server.audio().hum(880)
        assert await server.audio().hears() == pytest.approx(440, abs=2)
        assert await client.audio().hears() == pytest.approx(880, abs=2)
        agents = [private.connection_of(peer_of(side)._transceiver) for side in (client, server)]
        ours, its = (private.nominated(agent) for agent in agents)
        assert ours is not None
        assert its is not None
        assert its.remote_addr == ours.local_addr == private.door_of(agents[1]).only
        await pair.aclose()

    run(main())


def test_what_comes_from_elsewhere_is_dropped() -> None:
    """Authentic or not: the server listens to the selected pair."""

    async def main() -> None:
        pair = Pair(Side(TWO), Side(SERVER))
        await pair.connect()
        pair.caller.audio().hum(440)
        await pair.callee.audio().hears(0.2)
        connection = private.connection_of(peer_of(pair.caller)._transceiver)
        selected = private.nominated(connection)
        assert selected is not None
        (other,) = (each for each in connection._protocols if each is not selected.protocol)
        dropped = private.door_of(private.connection_of(peer_of(pair.callee)._transceiver)).dropped
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
