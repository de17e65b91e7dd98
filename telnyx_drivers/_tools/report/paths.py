"""The candidate pair in use, from a reading."""

from telnyx_core.stats.snapshot import CandidateStats, StatsSnapshot
from telnyx_drivers._tools.report.call_timeline import End, Path


def path(at: float, reading: StatsSnapshot) -> Path | None:
    pair = reading.pair
    return None if pair is None else Path(at, _end(pair.local), _end(pair.remote))


def _end(stats: CandidateStats) -> End:
    return End(
        stats.address, stats.port, stats.candidate_type, stats.protocol, stats.network_type, stats.relay_protocol
    )
