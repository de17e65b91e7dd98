"""Relays for real: coturn between the client and the embedded gateway (media.md 2.1)."""

import logging
import re
import socket
from typing import Any

import numpy as np
import pytest

from telnyx_core.events import IceServerFailed
from telnyx_core.gateway.events import CallStarted
from telnyx_core.ice import Agent
from telnyx_core.options import IceServer
from telnyx_drivers._webrtc.engine import AiortcEngine
from telnyx_drivers._webrtc.measure import dominant_frequency
from telnyx_drivers.asyncio import CallEnded, CallHandle, TelnyxRTC, Tone
from telnyx_drivers.gateway import Gateway
from tests.media.rig import run
from tests.network.coturn import CREDENTIAL, LISTENS_ON, RELAYS_FROM, USER, Coturn

pytestmark = [pytest.mark.media, pytest.mark.interop]

RATE = 16_000


def client(gateway: Gateway, **options: Any) -> TelnyxRTC:
    return TelnyxRTC(login="alice", password="secret", env=gateway.url, **options)


async def hears_itself(call: CallHandle, frequency: float = 700.0) -> None:
    """A tone goes to the gateway's echo and comes back: audio flows both ways."""
    call.audio.add_voice(Tone(frequency))
    heard: list[np.ndarray[Any, np.dtype[np.int16]]] = []
    async for frame in call.audio_in(sample_rate=RATE):
        samples = frame.to_numpy()
        if np.abs(samples.astype(np.int32)).max() > 500:
            heard.append(samples)
        if len(heard) == 25:
            break
    assert dominant_frequency(np.concatenate(heard[5:]), RATE) == pytest.approx(frequency, abs=3)


def far_end(gateway: Gateway, call: CallHandle) -> Agent:
    """The gateway's ICE agent of a call: its own view of the client."""
    engine = gateway._engine
    assert isinstance(engine, AiortcEngine)
    (peer,) = (peer for peer, media in engine._peers.values() if media is engine._calls[call.id])
    return peer._ground.ice.agent


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_a_call_through_a_relay_shows_the_far_end_nothing_but_the_relay(coturn: Coturn, transport: str) -> None:
    """MEDIA-024. Had one packet come from a socket of this host, the far end's agent would know it as a candidate."""

    async def main() -> None:
        async with (
            Gateway(users={"alice": "secret"}) as gateway,
            client(
                gateway, ice_servers=[coturn.server(transport)], force_relay_candidate=True, ssl=coturn.trust
            ) as phone,
        ):
            call = await phone.new_call("echo", caller_number="1")
            await call.wait_for_state("active", timeout=10)
            await hears_itself(call)
            agent = far_end(gateway, call)
            assert {each.address.host for each in agent.remote_candidates} == {RELAYS_FROM}
            assert agent.path is not None
            assert agent.path[1].host == RELAYS_FROM
            offer = str((await gateway.wait_for(CallStarted)).params["sdp"])
            assert set(re.findall(r"^a=candidate:.* typ (\w+) raddr (\S+) rport (\S+)", offer, re.MULTILINE)) == {
                ("relay", "0.0.0.0", "9")
            }
            assert "127.0.0.1" not in offer
            await call.hangup()

    run(main())


def test_one_call_may_have_servers_of_its_own(coturn: Coturn) -> None:
    """CALL-040: the seed's options, for one call only."""

    async def main() -> None:
        async with Gateway(users={"alice": "secret"}) as gateway, client(gateway) as phone:
            server = {"urls": coturn.server("tcp").urls[0], "username": USER, "credential": CREDENTIAL}
            options = {"destinationNumber": "echo", "callerNumber": "1"}
            own: list[dict[str, Any]] = [{"iceServers": [server], "forceRelayCandidate": True}, {}]
            for ice in own:
                call = await phone.new_call({**options, **ice})
                await call.wait_for_state("active", timeout=10)
                await hears_itself(call)
                path = far_end(gateway, call).path
                assert path is not None
                assert (path[1].host == RELAYS_FROM) is bool(ice)
                await call.hangup()

    run(main())


def silent_ports() -> tuple[socket.socket, socket.socket]:
    """What a dead TURN server looks like: over UDP no answer at all, over TCP a refusal."""
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind((LISTENS_ON, 0))
    stream = socket.socket()
    stream.bind((LISTENS_ON, 0))
    return datagrams, stream


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_dead_relay_gives_way_to_the_next(coturn: Coturn, transport: str) -> None:
    """MEDIA-027: whatever transport the dead one has, a live one of another transport is reached."""

    async def main() -> None:
        datagrams, stream = silent_ports()
        port = (datagrams if transport == "udp" else stream).getsockname()[1]
        dead = IceServer(f"turn:{LISTENS_ON}:{port}?transport={transport}", USER, "irrelevant")
        with datagrams, stream:
            async with (
                Gateway(users={"alice": "secret"}) as gateway,
                client(gateway, ice_servers=[dead, coturn.server("tcp")], force_relay_candidate=True) as phone,
            ):
                call = await phone.new_call("echo", caller_number="1")
                await call.wait_for_state("active", timeout=10)
                await hears_itself(call)
                assert {each.address.host for each in far_end(gateway, call).remote_candidates} == {RELAYS_FROM}
                await call.hangup()

    run(main())


def test_a_firewall_that_lets_out_nothing_but_tls_is_passed(coturn: Coturn) -> None:
    """MEDIA-027: UDP says nothing, TCP is refused, TLS carries the call, whatever the order of the list."""

    async def main() -> None:
        datagrams, stream = silent_ports()
        with datagrams, stream:
            urls = [f"turn:{LISTENS_ON}:{stream.getsockname()[1]}?transport=tcp"]
            urls += [f"turn:{LISTENS_ON}:{datagrams.getsockname()[1]}?transport=udp"]
            ice_servers = [coturn.server("tls"), IceServer(tuple(urls), USER, CREDENTIAL)]
            options = {"ice_servers": ice_servers, "force_relay_candidate": True, "ssl": coturn.trust}
            async with Gateway(users={"alice": "secret"}) as gateway, client(gateway, **options) as phone:
                told: list[IceServerFailed] = []
                phone.on(IceServerFailed, told.append)
                call = await phone.new_call("echo", caller_number="1")
                await call.wait_for_state("active", timeout=10)
                await hears_itself(call)
                assert {each.address.host for each in far_end(gateway, call).remote_candidates} == {RELAYS_FROM}
                await call.hangup()
        assert urls[0] in {event.url for event in told}, "what is closed is named all the same"

    run(main())


def test_wrong_credentials_are_told_clearly_and_without_them(coturn: Coturn, caplog: pytest.LogCaptureFixture) -> None:
    """The call goes on without the relay; the event and the log name the server, and no secret."""

    async def main() -> None:
        wrong = coturn.server(credential="not-the-credential")
        async with (
            Gateway(users={"alice": "secret"}) as gateway,
            client(gateway, ice_servers=[wrong]) as phone,
        ):
            told: list[IceServerFailed] = []
            phone.on(IceServerFailed, told.append)
            call = await phone.new_call("echo", caller_number="1")
            await call.wait_for_state("active", timeout=10)
            await call.hangup()
        assert [(event.call, event.url, event.code) for event in told] == [
            (call.id, f"turn:127.0.0.1:{coturn.port}?transport=udp", 401)
        ]
        assert "username or the credential" in told[0].reason
        (line,) = (
            record for record in caplog.records if record.levelno == logging.WARNING and "turn:" in record.message
        )
        assert f"turn:127.0.0.1:{coturn.port}?transport=udp" in line.message
        assert "not-the-credential" not in caplog.text
        assert "not-the-credential" not in repr(told)

    caplog.set_level(logging.DEBUG, "telnyx_drivers")
    run(main())


def test_relay_only_with_wrong_credentials_ends_the_call_and_says_why(coturn: Coturn) -> None:
    """MEDIA-024: nothing is offered rather than an address of this host."""

    async def main() -> None:
        async with (
            Gateway(users={"alice": "secret"}) as gateway,
            client(gateway, ice_servers=[coturn.server(credential="wrong")], force_relay_candidate=True) as phone,
        ):
            call = await phone.new_call("echo", caller_number="1")
            with pytest.raises(CallEnded) as ended:
                await call.wait_for_state("active", timeout=10)
            error = ended.value.error
            assert error is not None
            assert error.code == 40003
            assert "401" in str(error.original)
            assert not [event for event in gateway.history if isinstance(event, CallStarted)]

    run(main())


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(coturn: Coturn) -> None:
    """Without the application's own TLS settings the system's authorities decide, and nothing is given away."""

    async def main() -> None:
        async with (
            Gateway(users={"alice": "secret"}) as gateway,
            client(gateway, ice_servers=[coturn.server("tls")]) as phone,
        ):
            told: list[IceServerFailed] = []
            phone.on(IceServerFailed, told.append)
            call = await phone.new_call("echo", caller_number="1")
            await call.wait_for_state("active", timeout=10)
            await call.hangup()
            (event,) = told
            assert (event.url, event.code) == (f"turns:127.0.0.1:{coturn.tls_port}?transport=tcp", 701)
            assert "certificate is not trusted" in event.reason

    run(main())
