"""What the options about servers look like to the server: the name that is looked up, and the query of the WebSocket's
URL as the embedded gateway was asked for it (signaling.md section 1)."""

import asyncio
import socket
from typing import Any

import pytest

from telnyx_core._wire.json_types import JsonView
from telnyx_core.gateway.events import ClientConnected
from telnyx_drivers.asyncio import TelnyxRTC
from telnyx_drivers.gateway import Gateway
from tests.media.rig import run

pytestmark = pytest.mark.net


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names that were looked up. Those of the example's domain all belong to this host."""
    asked: list[str] = []
    look_up = socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **keywords: Any) -> Any:
        if isinstance(host, str) and host.endswith(".example.test"):
            asked.append(host)
            host = "127.0.0.1"
        return look_up(host, *arguments, **keywords)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


CASES: list[tuple[dict[str, Any], set[str], set[str]]] = [
    ({}, set(), {"voice_sdk_id"}),
    ({"rtc_ip": "10.0.0.1", "rtc_port": 443}, {"rtc_ip", "rtc_port"}, {"rtc_ip", "rtc_port"}),
    ({"rtc_ip": "10.0.0.1"}, set(), {"voice_sdk_id"}),
    ({"use_canary_rtc_server": True}, {"canary"}, {"voice_sdk_id", "canary"}),
    ({"skip_last_voice_sdk_id": True}, set(), {"voice_sdk_id", "skip_last_voice_sdk_id"}),
]
"""Options, and which parameters the first socket and the second one are to have (SIG-012 to SIG-016)."""


def test_the_query_of_the_first_socket_and_of_the_next() -> None:
    """All clients at once, because each waits a second before it comes back."""

    async def come_back(gateway: Gateway, number: int) -> list[JsonView]:
        options, _, _ = CASES[number]
        user, url = f"user-{number}", f"{gateway.url}/?case={number}"
        told = gateway.events()
        queries: list[JsonView] = []
        async with TelnyxRTC(login=user, password="secret", env=url, **options):
            gateway.drop(user)
            async for event in told:
                if isinstance(event, ClientConnected) and event.query.get("case") == str(number):
                    queries.append(event.query)
                    if len(queries) == 2:
                        return queries
        raise AssertionError("the gateway ended")

    async def main() -> None:
        async with Gateway(users={f"user-{number}": "secret" for number in range(len(CASES))}) as gateway:
            seen = await asyncio.gather(*(come_back(gateway, number) for number in range(len(CASES))))
        for (options, first, second), sockets in zip(CASES, seen, strict=True):
            assert [set(query) - {"case"} for query in sockets] == [first, second], options
            for query in sockets:
                for name in {"rtc_ip", "rtc_port"} & set(query):
                    assert query[name] == str(options[name])
                for name in {"canary", "skip_last_voice_sdk_id"} & set(query):
                    assert query[name] == "true"

    run(main())


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "rtc.example.test"),
        ({"region": "eu"}, "eu.rtc.example.test"),
        ({"region": "auto"}, "rtc.example.test"),
        ({"region": "eu", "host": "sip"}, "sip.example.test"),
    ],
)
def test_env_and_region_name_the_server(names: list[str], options: dict[str, Any], name: str) -> None:
    """SIG-002 to SIG-006; the region goes before ``rtc``, and nowhere else."""
    first = options.pop("host", "rtc")

    async def main() -> None:
        async with Gateway(users={"alice": "secret"}) as gateway:
            env = f"ws://{first}.example.test:{gateway.port}/path?x=1"
            # No ICE servers: the platform's would be asked for a server that is not on this host by its name.
            async with TelnyxRTC(login="alice", password="secret", env=env, ice_servers=[], **options):
                assert (await gateway.wait_for(ClientConnected)).query == {"x": "1"}

    run(main())
    assert set(names) == {name}
