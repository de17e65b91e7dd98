"""The embedded gateway beside a program that runs on another loop, or on none."""

import json
import threading

import pytest
from websockets.sync.client import connect

from telnyx_core.errors import NotConnected
from telnyx_core.gateway.events import CallStarted
from telnyx_core.ids import CallId
from telnyx_drivers.gateway.thread import GatewayThread
from tests.gateway.test_server import PromisedMedia, gateway

pytestmark = pytest.mark.net


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


def test_a_gateway_on_a_thread_serves_takes_commands_and_ends() -> None:
    with GatewayThread(gateway) as gw:
        assert "telnyx gateway" in threads()
        with connect(gw.url, compression=None) as client:
            client.send('{"id":1,"method":"login","params":{"login":"bob","passwd":"hush"}}')
            assert json.loads(client.recv())["result"]["message"] == "logged in"
            call = gw.do(lambda it: it.call_user("bob"))
            assert gw.wait_for(CallStarted, lambda event: event.user == "bob").call == call
            with pytest.raises(TimeoutError):
                gw.wait_for(CallStarted, lambda event: event.user == "nobody", timeout=0.01)
            with pytest.raises(NotConnected):
                gw.do(lambda it: it.call_user("alice"))
            with pytest.raises(TypeError, match=r"has to be awaited: start\(...\) does so"):
                gw.do(lambda it: it.wait_for(CallStarted))
    assert "telnyx gateway" not in threads()


def test_a_gateway_that_cannot_start_says_so() -> None:
    with GatewayThread(gateway) as gw:
        port = gw.do(lambda it: it.port)
        with pytest.raises(OSError, match="in use"), GatewayThread(lambda: gateway(port=port)):
            pass
    assert "telnyx gateway" not in threads()


def test_a_fault_on_the_thread_is_raised_on_the_other() -> None:
    class Broken(PromisedMedia):
        def release(self, call: CallId) -> None:
            raise ZeroDivisionError("ours")

    def serve() -> None:
        with GatewayThread(lambda: gateway(engine=Broken)) as gw, connect(gw.url, compression=None) as client:
            client.send('{"id":1,"method":"login","params":{"login":"bob","passwd":"hush"}}')
            call = '{"callID":"c1","destination_number":"busy"}'
            client.send('{"id":2,"method":"telnyx_rtc.invite","params":{"sdp":"v=0","dialogParams":' + call + "}}")
            gw.wait_for(CallStarted)

    with pytest.raises(ZeroDivisionError, match="ours"):
        serve()
