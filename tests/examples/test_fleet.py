"""The fleet as a service: its program hands calls over to its next start, and its manifest says what it reads."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from telnyx_core.gateway.events import StateTold
from telnyx_drivers._tools.cli.credentials import NAMES
from telnyx_drivers.gateway import Gateway
from tests.examples.test_asyncio import USERS, example
from tests.examples.test_recipes import line_of, rings, stopped
from tests.programs import LIMIT, ROOT, end_of

PROGRAM = ROOT / "examples" / "fleet_service.py"
MANIFEST = ROOT / "examples" / "kubernetes" / "fleet.yaml"


@pytest.mark.net
@pytest.mark.media
@pytest.mark.slow
def test_the_next_start_goes_on_with_the_calls(tmp_path: Path) -> None:
    settings = {"HEALTH_FILE": str(tmp_path / "healthy"), "STORE": str(tmp_path / "store"), "WORKERS": "1"}

    async def story() -> None:
        async with Gateway(users=dict(USERS)) as gateway, asyncio.timeout(2 * LIMIT):
            async with example("fleet_service.py", "bob", gateway.url, tmp_path, DRAIN="0", **settings) as first:
                assert await line_of(first) == "Ready"
                await gateway.wait_for(StateTold)
                call = await rings(gateway, "+15550101")
                assert "1 calls are left to the next start" in (await stopped(first)).out
            async with example("fleet_service.py", "bob", gateway.url, tmp_path, **settings) as second:
                assert await line_of(second) == "Ready"
                going_on = await line_of(second)
                assert going_on.startswith("going on with ")
                async with example("fleet_service.py", "bob", gateway.url, tmp_path, "--healthy", **settings) as asked:
                    assert (await end_of(asked)).status == 0
                gateway.hangup(call)
                assert await line_of(second) == f"{going_on.split()[-1]} completed NORMAL_CLEARING"
                await stopped(second)

    asyncio.run(story())


def documents() -> dict[str, Any]:
    return {each["kind"]: each for each in yaml.safe_load_all(MANIFEST.read_text("utf-8"))}


def test_the_manifests_names_fit_each_other() -> None:
    found = documents()
    assert {kind: each["apiVersion"] for kind, each in found.items()} == {
        "StatefulSet": "apps/v1",
        "Service": "v1",
        "PodDisruptionBudget": "policy/v1",
    }
    spec = found["StatefulSet"]["spec"]
    labels = spec["template"]["metadata"]["labels"]
    assert labels == spec["selector"]["matchLabels"]
    assert labels == found["Service"]["spec"]["selector"]
    assert labels == found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"]
    assert spec["serviceName"] == found["Service"]["metadata"]["name"]
    assert found["Service"]["spec"]["clusterIP"] == "None", "nothing listens"
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    assert "ports" not in container
    mounted = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    offered = {each["name"] for each in pod["volumes"]} | {
        each["metadata"]["name"] for each in spec["volumeClaimTemplates"]
    }
    assert mounted.keys() == offered
    env = {each["name"]: each["value"] for each in container["env"]}
    for name, volume in (("STORE", "calls"), ("HEALTH_FILE", "tmp")):
        assert env[name].startswith(mounted[volume] + "/"), "nothing else can be written"
    assert pod["terminationGracePeriodSeconds"] >= int(env["DRAIN"]) + 60
    assert int(env["WORKERS"]) == int(container["resources"]["requests"]["cpu"])
    assert pod["securityContext"]["runAsUser"] == int(re.findall(r"--uid (\d+)", (ROOT / "Dockerfile").read_text())[0])


def commands(container: dict[str, Any]) -> Iterator[list[str]]:
    yield container["command"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        yield container[probe]["exec"]["command"]


def test_the_program_reads_what_the_manifest_and_its_secret_say() -> None:
    text = PROGRAM.read_text("utf-8")
    reads = set(re.findall(r"""environ(?:\.get\(|\[)"(\w+)""", text))
    (container,) = documents()["StatefulSet"]["spec"]["template"]["spec"]["containers"]
    said = {each["name"] for each in container["env"]}
    assert said | {*NAMES, "TELNYX_RTC_URL"} == reads
    assert container["envFrom"] == [{"secretRef": {"name": "telnyx-login"}}]
    page = (ROOT / "docs" / "how-to" / "kubernetes.md").read_text("utf-8")
    assert "secret generic telnyx-login --from-env-file=login.env" in page
    for python, program, *flags in commands(container):
        assert (python, program) == ("python", PROGRAM.name)
        assert all(f'"{flag}" in sys.argv' in text for flag in flags)
