"""What is measured of a client, and which spans there are: every instrument of the table is met."""

import asyncio
from importlib.resources import as_file

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from telnyx_drivers._assets import HELLO
from telnyx_drivers.telemetry import INSTRUMENTS, OpenTelemetryMeter, OpenTelemetryTracer, PrometheusMeter, observe
from telnyx_drivers.telemetry.gateway import GatewayObserver
from telnyx_drivers.testing.virtual_gateway import USER, VirtualClient, VirtualGateway
from tests.telemetry.world import Notebook, run, wall


async def one_call(gateway: VirtualGateway, client: VirtualClient) -> None:
    """An answered call in which both speak and one interrupts, and whose socket is lost; and one that is declined."""
    call = await client.new_call("silence")
    await call.wait_for_state("active")
    with as_file(HELLO) as hello:
        far = gateway.audio(call.id)
        await (await far.play(hello)).wait()
        await asyncio.sleep(0.8)
        ours = await call.play(hello)
        await asyncio.sleep(2.0)
        theirs = await far.play(hello)
        await asyncio.sleep(0.5)
        ours.stop()
        await theirs.wait()
    await asyncio.sleep(10.0)
    gateway.drop(USER)
    await call.wait_for_state("recovering")
    await call.wait_for_state("active", timeout=20)
    await asyncio.sleep(5.0)
    await call.hangup()
    busy = await client.new_call("busy")
    await busy.wait_ended()


def test_everything_that_is_measured_of_a_client() -> None:
    book = Notebook()
    run(one_call, lambda client: observe(client, book, wall=wall))
    total = {each.name: book.total(each.name) for each in INSTRUMENTS}
    assert total["telnyx_rtc.calls.active"] == 0
    assert len(book.values["telnyx_rtc.calls.active"]) == 4
    assert book.attributes["telnyx_rtc.calls"] == [
        {"direction": "outbound", "answered": "true", "cause": "NORMAL_CLEARING"},
        {"direction": "outbound", "answered": "false", "cause": "USER_BUSY"},
    ]
    assert [round(each, 1) for each in book.values["telnyx_rtc.call.setup.duration"]] == [pytest.approx(0.3, abs=0.3)]
    assert book.values["telnyx_rtc.call.duration"][0] > 25
    assert set(book.values["telnyx_rtc.call.packet_loss"]) == {0.0}
    assert min(book.values["telnyx_rtc.call.mos"]) > 4
    assert book.values["telnyx_rtc.call.jitter"][0] == pytest.approx(0.002)
    assert book.values["telnyx_rtc.call.round_trip_time"][0] == pytest.approx(0.04)
    assert len(book.values["telnyx_rtc.call.recovery.duration"]) == 1
    assert len(book.values["telnyx_rtc.session.outage.duration"]) == 1
    assert 0.5 < book.values["telnyx_rtc.turn.response.duration"][0] < 1.3
    assert 0.2 < book.values["telnyx_rtc.turn.barge_in.duration"][0] < 0.8
    assert set(book.values["telnyx_rtc.loop.lag"]) == {0.0}
    not_met = {name for name, values in total.items() if not book.values[name]}
    # The simulated media has no jitter buffer; the gateway's are `test_everything_that_is_measured_of_a_gateway`.
    assert not_met == {
        "telnyx_rtc.call.jitter_buffer.delay",
        "telnyx_rtc.gateway.clients",
        "telnyx_rtc.gateway.logins.refused",
        *({"telnyx_rtc.errors", "telnyx_rtc.warnings"} & {name for name in total if not book.values[name]}),
    }


def test_nothing_is_left_out_of_a_call_with_a_listener_of_its_own() -> None:
    book = Notebook()

    async def story(gateway: VirtualGateway, client: VirtualClient) -> None:
        call = await client.new_call("silence", on_notification=lambda event: None)
        await call.wait_for_state("active")
        await call.hangup()

    run(story, lambda client: observe(client, book, wall=wall))
    assert len(book.values["telnyx_rtc.calls"]) == 1


def test_a_server_cannot_make_any_number_of_time_series() -> None:
    book = Notebook()

    async def story(gateway: VirtualGateway, client: VirtualClient) -> None:
        for number in range(60):
            call = await client.new_call("silence")
            await call.wait_for_state("active")
            gateway.hangup(call.id, cause=f"MADE_UP_{number}")
            await call.wait_ended()

    run(story, lambda client: observe(client, book, wall=wall, turns=False))
    causes = [each["cause"] for each in book.attributes["telnyx_rtc.calls"]]
    assert len(causes) == 60
    assert len(set(causes)) == 51
    assert causes[-1] == "other"


def test_everything_that_is_measured_of_a_gateway() -> None:
    book = Notebook()

    async def story(gateway: VirtualGateway, client: VirtualClient) -> None:
        await one_call(gateway, client)

        async def refused() -> None:
            await client.login({"login": USER, "password": "wrong"})

        with pytest.raises(Exception, match="refused"):
            await refused()
        observer = GatewayObserver((book,), wall)
        for event in gateway.history:
            observer.note(event)

    run(story, lambda client: None)
    assert book.values["telnyx_rtc.gateway.clients"] == [1, -1, 1]
    assert book.total("telnyx_rtc.gateway.logins.refused") == 1
    assert book.total("telnyx_rtc.calls.active") == 0
    assert [each["answered"] for each in book.attributes["telnyx_rtc.calls"]] == ["true", "false"]


def named(spans: list[ReadableSpan], name: str) -> list[ReadableSpan]:
    return [span for span in spans if span.name == name]


def test_the_spans_of_a_session() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    run(one_call, lambda client: observe(client, tracer=OpenTelemetryTracer(provider), wall=wall))
    spans = list(exporter.get_finished_spans())
    (session,) = named(spans, "telnyx_rtc.session")
    calls = named(spans, "telnyx_rtc.call")
    assert [call.attributes and call.attributes["cause"] for call in calls] == ["NORMAL_CLEARING", "USER_BUSY"]
    assert [call.status.is_ok for call in calls] == [True, False]
    for inner, outer in (
        ("telnyx_rtc.call", session),
        ("telnyx_rtc.session.outage", session),
        ("telnyx_rtc.call.setup.requesting", calls[0]),
        ("telnyx_rtc.call.recovery", calls[0]),
        ("telnyx_rtc.turn", calls[0]),
    ):
        found = named(spans, inner)
        assert found, inner
        span = found[0]
        assert span.parent is not None
        assert outer.context is not None
        assert span.parent.span_id == outer.context.span_id
        for here, there in ((outer.start_time, span.start_time), (span.end_time, outer.end_time)):
            assert here is not None
            assert there is not None
            assert here <= there
    assert len(named(spans, "telnyx_rtc.turn")) >= 3


def test_the_same_figures_by_opentelemetry() -> None:
    reader = InMemoryMetricReader()
    meter = OpenTelemetryMeter(MeterProvider([reader]))
    run(one_call, lambda client: observe(client, meter, wall=wall))
    data = reader.get_metrics_data()
    assert data is not None
    (metrics,) = [scope.metrics for each in data.resource_metrics for scope in each.scope_metrics]
    units = {metric.name: metric.unit for metric in metrics}
    assert units["telnyx_rtc.call.setup.duration"] == "s"
    known = {each.name: each.unit for each in INSTRUMENTS}
    assert units.items() <= known.items()
    (setup,) = [metric for metric in metrics if metric.name == "telnyx_rtc.call.setup.duration"]
    assert '"count": 1' in setup.to_json()


def test_the_same_figures_by_prometheus() -> None:
    from urllib.request import urlopen

    meter = PrometheusMeter()
    run(one_call, lambda client: observe(client, meter, wall=wall))
    with meter.served(0) as port, urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    assert 'telnyx_rtc_calls_total{answered="true",cause="NORMAL_CLEARING",direction="outbound"} 1.0' in text
    assert 'telnyx_rtc_calls_active{direction="outbound"} 0.0' in text
    assert "telnyx_rtc_call_recovery_duration_seconds_count 1.0" in text
