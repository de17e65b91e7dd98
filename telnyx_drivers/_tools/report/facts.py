"""Rows for the table of facts."""

from telnyx_core.events import Cause, StatsReport
from telnyx_drivers._tools.report.call_timeline import Fact, Totals


def report_facts(report: StatsReport) -> list[Fact]:
    """The figures of a final report."""
    ended = report.ended
    return [
        Fact("Duration", number(report.duration, "s", 1)),
        Fact("Round trip", spread(report.average_rtt, report.least_rtt, report.greatest_rtt, "ms")),
        Fact("Jitter", spread(report.average_jitter, None, report.greatest_jitter, "ms")),
        Fact("Packet loss", spread(report.average_packet_loss, None, report.greatest_packet_loss, "%", 2)),
        Fact("MOS", spread(report.average_mos, report.least_mos, None, "", 2)),
        Fact("Sent", counted(report.packets_sent, report.bytes_sent)),
        Fact("Received", counted(report.packets_received, report.bytes_received)),
        Fact("Lost", "" if report.packets_lost is None else f"{report.packets_lost:,} packets"),
        Fact("Ended by", "" if ended is None or ended.cause is None else f"{ended.cause} ({ended.cause_code})"),
        Fact("SIP", "" if ended is None or ended.sip_code is None else f"{ended.sip_code} {ended.sip_reason or ''}"),
        Fact("Call report", report.call_report_id or ""),
    ]


def cause_text(ended: Cause) -> str:
    """``USER_BUSY (17), SIP 486 Busy Here``, as much of it as is known."""
    text = ended.cause or "without a reason"
    if ended.cause_code is not None:
        text += f" ({ended.cause_code})"
    if ended.sip_code is not None:
        text += f", SIP {ended.sip_code} {ended.sip_reason or ''}".rstrip()
    return text


def report_totals(report: StatsReport) -> Totals:
    return Totals(
        mos=report.average_mos,
        least_mos=report.least_mos,
        rtt=report.average_rtt,
        most_rtt=report.greatest_rtt,
        jitter=report.average_jitter,
        most_jitter=report.greatest_jitter,
        loss=report.average_packet_loss,
        most_loss=report.greatest_packet_loss,
    )


def number(value: float | None, unit: str, places: int = 0) -> str:
    return "" if value is None else f"{value:,.{places}f} {unit}".strip()


def spread(mean: float | None, least: float | None, greatest: float | None, unit: str, places: int = 1) -> str:
    """``41.2 ms (38.0 to 55.1)``, as much of it as is known."""
    if mean is None:
        return ""
    text = number(mean, unit, places)
    bounds = [f"{bound:,.{places}f}" for bound in (least, greatest) if bound is not None]
    if len(bounds) == 2:
        return f"{text} ({bounds[0]} to {bounds[1]})"
    if least is not None:
        return f"{text} (at least {bounds[0]})"
    return f"{text} (at most {bounds[0]})" if bounds else text


def counted(packets: int | None, octets: int | None) -> str:
    parts: list[str] = []
    if packets is not None:
        parts.append(f"{packets:,} packets")
    if octets is not None:
        parts.append(f"{octets / 1000:,.1f} kB")
    return ", ".join(parts)
