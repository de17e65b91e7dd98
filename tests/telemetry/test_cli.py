"""``--metrics PORT``: the embedded gateway as a program tells Prometheus of who is logged in."""

import json
import subprocess
import sys
import time
from urllib.request import urlopen

import pytest
from websockets.sync.client import connect


@pytest.mark.net
def test_a_gateway_answers_prometheus() -> None:
    command = [sys.executable, "-m", "telnyx_drivers", "gateway", "--user", "alice", "--metrics", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())

            def until(line: str) -> bool:
                """Whether it stands there within a minute."""
                end = time.monotonic() + 60
                while time.monotonic() < end:
                    with urlopen(told["metrics"], timeout=10) as answer:
                        if line in answer.read().decode().splitlines():
                            return True
                    time.sleep(0.05)
                return False

            assert told["metrics"].startswith("http://127.0.0.1:")
            assert until("telnyx_rtc_gateway_clients 0.0")
            login = {"id": 1, "method": "login", "params": {"login": "alice", "passwd": told["users"]["alice"]}}
            with connect(told["url"], compression=None) as socket:
                socket.send(json.dumps(login))
                assert until("telnyx_rtc_gateway_clients 1.0")
            assert until("telnyx_rtc_gateway_clients 0.0")
        finally:
            process.terminate()
