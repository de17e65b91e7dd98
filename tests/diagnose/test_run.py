"""The whole way, against real servers on this machine: what is found, what is said of it, and nothing left behind."""

import asyncio
import socket
from typing import Any

import pytest

from telnyx_core.gateway.events import CallEnded, CallStarted
from telnyx_core.options import ClientOptions, IceServer
from telnyx_drivers._webrtc.ice_plan import StunServer, TurnServer
from telnyx_drivers.diagnose import probes
from telnyx_drivers.diagnose import run as diagnosing
from telnyx_drivers.diagnose.report import Plan, Report
from telnyx_drivers.diagnose.run import diagnose
from telnyx_drivers.gateway import Gateway
from tests.media import servers
from tests.media.rig import run
from tests.network.coturn import CREDENTIAL, LISTENS_ON, RELAYS_FROM, USER, Coturn

pytestmark = pytest.mark.media


class Watcher:
    def __init__(self) -> None:
        self.steps: list[tuple[str, bool]] = []
        self.began: list[str] = []

    def begins(self, what: str) -> None:
        self.began.append(what)

    def done(self, text: str, *, ok: bool = True, detail: str = "") -> None:
        self.steps.append((text, ok))


def diagnosed(
    *ice_servers: IceServer,
    watcher: Watcher | None = None,
    gateway: dict[str, Any] | None = None,
    tls: Any = None,
    password: str = "secret",
    relay: bool = False,
    **plan: Any,
) -> Report:
    reports: list[Report] = []

    async def main() -> None:
        async with Gateway(users={"alice": "secret"}, **(gateway or {})) as server:
            options = ClientOptions(
                login="alice",
                password=password,
                env=server.url,
                ice_servers=ice_servers,
                force_relay_candidate=relay,
            )
            given = Plan(
                options=options, **{"destination": "echo", "caller_number": "1", "seconds": 2.0, "tls": tls} | plan
            )
            reports.append(await diagnose(given, watcher or Watcher()))
            for event in server.history:
                if isinstance(event, CallStarted):
                    await server.wait_for(CallEnded, lambda ended, call=event.call: ended.call == call)

    run(main())
    return reports[0]


def codes(report: Report) -> list[str]:
    return [note.code for note in report.judgement.reasons]


def test_a_good_line_is_ready_with_all_figures(coturn: Coturn) -> None:
    watcher = Watcher()
    urls = [coturn.server("udp"), coturn.server("tcp"), coturn.server("tls")]
    stun = IceServer(f"stun:{LISTENS_ON}:{coturn.port}")
    report = diagnosed(stun, *urls, watcher=watcher, tls=coturn.trust, seconds=6.0)
    assert report.judgement.verdict == "ready", report.judgement
    assert all(ok for _, ok in watcher.steps), watcher.steps
    assert [step.split(":")[0] for step, _ in watcher.steps] == [
        "DNS",
        "WebSocket",
        "Login",
        "stun",
        "turn",
        "turn",
        "turns",
        "Call",
        "Quality",
        "Echo",
    ]
    assert [probe.address for probe in report.servers] == [LISTENS_ON, RELAYS_FROM, RELAYS_FROM, RELAYS_FROM]
    assert report.echo is not None
    assert report.echo.correlation > 0.8
    document = report.document()
    assert document["version"] == 1
    assert "reasons" not in document
    assert "ice_server_no_candidates" not in repr(document), "the call asked one relay of three"
    network, ice, timings = (document[name] for name in ("network", "ice", "timings"))
    assert isinstance(network, dict)
    assert isinstance(ice, dict)
    assert isinstance(timings, dict)
    assert network["quality"] == "good"
    assert network["mos"] > 4  # type: ignore[operator]
    assert network["inbound"]["flowing"] is network["outbound"]["flowing"] is True  # type: ignore[index, call-overload]
    assert ice["hasSelectedPair"] is ice["hasRelayCandidate"] is True
    assert ice["gatheringComplete"] is True
    assert {"totalMs", "establishedMs", "iceGatheringMs", "callEstablishment"} <= timings.keys()
    assert CREDENTIAL not in repr(document)
    assert "secret" not in repr(document)


def test_a_blocked_port_is_named(coturn: Coturn) -> None:
    """UDP says nothing, TCP to the same host answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((LISTENS_ON, 0))
        port = silent.getsockname()[1]
        dead = IceServer(f"turn:{LISTENS_ON}:{port}?transport=udp", USER, CREDENTIAL)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(probes, "PATIENCE", 0.5)
            report = diagnosed(dead, coturn.server("tcp"))
    assert report.judgement.verdict == "degraded"
    assert codes(report) == ["port_blocked", "ice_server_failed"]
    assert f"UDP port {port} to {LISTENS_ON} seems to be blocked" in report.judgement.reasons[0].message


def test_wrong_credentials_of_a_relay_are_said(coturn: Coturn) -> None:
    report = diagnosed(coturn.server(credential="never-shown"))
    assert codes(report) == ["ice_server_failed"]
    assert "refuses the username or the credential (401" in report.judgement.reasons[0].message
    assert "never-shown" not in repr(report.document())


def test_by_a_relay_only_that_is_dead() -> None:
    """The reason says which server, and that nothing but a relay was allowed."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"turn:127.0.0.1:{closed.getsockname()[1]}?transport=tcp"
        report = diagnosed(IceServer(url, USER, CREDENTIAL), relay=True)
    assert report.judgement.verdict == "blocked"
    assert codes(report) == ["ice_server_failed", "diagnostic_run_error"]
    message = report.judgement.reasons[-1].message
    assert f"only relays may be used ({url}: connection refused)" in message
    assert CREDENTIAL not in repr(report.document())


def test_by_relay_only(coturn: Coturn) -> None:
    """DIAG-103: no fault where it is wanted."""
    report = diagnosed(coturn.server("tcp"), relay=True)
    assert report.judgement.verdict == "ready", report.judgement
    assert report.ice is not None
    assert report.ice.pair is not None
    assert report.ice.pair.local.candidate_type == "relay"


def test_a_login_that_is_refused_still_leaves_the_servers_to_be_tried() -> None:
    watcher = Watcher()

    async def main() -> int:
        stun = servers.StunServer()
        port = await servers.serve(stun)
        async with Gateway(users={"alice": "secret"}) as server:
            options = ClientOptions(
                login="alice", password="wrong", env=server.url, ice_servers=[IceServer(f"stun:127.0.0.1:{port}")]
            )
            report = await diagnose(Plan(options=options), watcher)
        stun.transport.close()
        assert report.judgement.verdict == "blocked"
        assert codes(report) == ["login_failed"]
        assert "Login Incorrect" in report.judgement.reasons[0].message, "the server's own words"
        assert report.call is None
        assert [probe.ok for probe in report.servers] == [True]
        assert stun.asked == 1
        return port

    run(main())  # type: ignore[arg-type]
    assert ("Login", False) in watcher.steps


def test_a_server_that_is_not_there_is_a_blocked_port() -> None:
    async def main() -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            port = closed.getsockname()[1]
            options = ClientOptions(login="a", password="b", env=f"ws://127.0.0.1:{port}", ice_servers=[])
            report = await diagnose(Plan(options=options), Watcher())
        assert report.judgement.verdict == "blocked"
        assert codes(report) == ["port_blocked"]
        assert f"TCP port {port} to 127.0.0.1" in report.judgement.reasons[0].message

    run(main())


def test_a_name_that_is_not_known() -> None:
    async def main() -> None:
        options = ClientOptions(login="a", password="b", env="ws://rtc.invalid", ice_servers=[])
        report = await diagnose(Plan(options=options), Watcher())
        assert report.judgement.verdict == "blocked"
        assert codes(report) == ["signaling_dns_failed"]

    run(main())


@pytest.mark.parametrize(
    ("destination", "verdict", "code"),
    [("busy", "blocked", "diagnostic_run_error"), ("silence", "ready", None)],
)
def test_what_becomes_of_the_call_decides(destination: str, verdict: str, code: str | None) -> None:
    report = diagnosed(destination=destination)
    assert report.judgement.verdict == verdict, report.judgement
    assert codes(report) == ([code] if code else [])
    assert report.echo is None


def test_a_call_that_nobody_answers_says_nothing_of_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """DIAG-022, DIAG-400: no fault was seen, but no call either; it is hung up."""
    monkeypatch.setattr(diagnosing, "ESTABLISHED_WITHIN", 0.5)
    report = diagnosed(destination="ring")
    assert report.judgement.verdict == "inconclusive"
    assert codes(report) == ["call_setup_timeout"]
    assert report.network is None


def test_without_an_account_only_the_servers_are_tried() -> None:
    report = diagnosed(log_in=False)
    assert report.judgement.verdict == "ready"
    assert (report.registered, report.call, report.ice) == (None, None, None)


def test_a_diagnosis_may_be_cancelled() -> None:
    """DIAG-015: the test call is hung up."""

    async def main() -> None:
        async with Gateway(users={"alice": "secret"}) as server:
            options = ClientOptions(login="alice", password="secret", env=server.url, ice_servers=[])
            plan = Plan(options=options, destination="echo", caller_number="1", seconds=60)
            running = asyncio.create_task(diagnose(plan, Watcher()))
            started = await server.wait_for(CallStarted)
            await asyncio.sleep(0.2)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            ended = await server.wait_for(CallEnded)
            assert (ended.call, ended.by) == (started.call, "client")

    run(main())


def test_a_stun_server_that_nobody_is_behind() -> None:
    async def main() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
            closed.bind(("127.0.0.1", 0))
            port = closed.getsockname()[1]
        probe = await probes.try_server(StunServer("127.0.0.1", port), None)
        assert not probe.ok
        assert probe.unreachable
        assert "refused" in (probe.error or "")
        gone = await probes.try_server(TurnServer("127.0.0.1", port, "tcp", "u", "p"), None)
        assert gone.unreachable

    run(main())
