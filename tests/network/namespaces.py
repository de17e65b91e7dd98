"""Two network namespaces of Linux with a cable between them: hosts whose addresses can be changed at will."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest
from attrs import frozen

IP = shutil.which("ip")
NEAR, FAR = "10.203.7.2", "10.203.7.1"


def ip(*words: str) -> None:
    assert IP is not None, "checked by `cable`"
    done = subprocess.run([IP, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"ip {' '.join(words)}: {done.stderr.strip()}")


@frozen
class Host:
    """One end: a namespace with loopback and one interface."""

    namespace: str
    interface: str

    def has(self, address: str) -> None:
        ip("-n", self.namespace, "addr", "add", f"{address}/24", "dev", self.interface)

    def loses(self, address: str) -> None:
        ip("-n", self.namespace, "addr", "del", f"{address}/24", "dev", self.interface)

    def routes(self, subnet: str, through: str) -> None:
        """Another way there, for when the first one is gone."""
        ip("-n", self.namespace, "route", "add", f"{subnet}/24", "via", through, "metric", "500")

    def run(self, module: str, *arguments: str) -> "subprocess.Popen[str]":
        """A Python module of this repository as a program on this host."""
        assert IP is not None, "checked by `cable`"
        return subprocess.Popen(
            [IP, "netns", "exec", self.namespace, sys.executable, "-u", "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )


@contextlib.contextmanager
def cable() -> Iterator[tuple[Host, Host]]:
    """The near host and the far one, with `NEAR` and `FAR`; both are gone afterwards. Skips where it is not allowed."""
    if IP is None or sys.platform != "linux":
        pytest.skip("needs Linux with iproute2")
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    near, far = (Host(f"rtc-{end}-{os.getpid()}", f"v{end}{os.getpid() % 1_000_000}") for end in ("near", "far"))
    made: list[Host] = []
    try:
        try:
            for host in (near, far):
                ip("netns", "add", host.namespace)
                made.append(host)
                ip("-n", host.namespace, "link", "set", "lo", "up")
            pair = ("type", "veth", "peer", "name", far.interface, "netns", far.namespace)
            ip("-n", near.namespace, "link", "add", near.interface, *pair)
        except OSError as error:
            pytest.skip(f"network namespaces are not allowed here: {error}")
        for host, address in ((near, NEAR), (far, FAR)):
            host.has(address)
            ip("-n", host.namespace, "link", "set", host.interface, "up")
        yield near, far
    finally:
        with contextlib.ExitStack() as leaving:
            for host in made:
                leaving.callback(ip, "netns", "del", host.namespace)


def stop(program: "subprocess.Popen[str]") -> None:
    """End a program that does not end by itself."""
    if program.poll() is None:
        program.terminate()
        try:
            program.wait(5)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()
    for stream in (program.stdin, program.stdout):
        if stream is not None:
            stream.close()
