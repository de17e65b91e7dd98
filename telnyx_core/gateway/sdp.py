"""Make an engine's SDP look like the platform's (server-behaviour.md SRV-001, SRV-003)."""

from telnyx_core.gateway.options import Quirks

_CANDIDATE = "a=candidate:"


def disguise(sdp: str, quirks: Quirks, *, offer: bool) -> str:
    """The description that goes on the wire. Profile and candidates are odd in offers only."""
    lines: list[str] = []
    for line in sdp.splitlines():
        if quirks.no_mid and line.startswith(("a=mid:", "a=group:")):
            continue
        if offer and quirks.plain_profile and line.startswith("m="):
            line = line.replace(" UDP/TLS/RTP/SAVPF ", " RTP/SAVPF ")
        lines.append(line)
        if offer and quirks.double_candidates and (twin := _second_component(line)) is not None:
            lines.append(twin)
    return "".join(f"{line}\r\n" for line in lines)


def _second_component(line: str) -> str | None:
    """The same candidate for component 2: with rtcp-mux nobody listens to it (RFC 8839, RFC 5761)."""
    if not line.startswith(_CANDIDATE):
        return None
    foundation, component, rest = line.removeprefix(_CANDIDATE).split(" ", 2)
    return f"{_CANDIDATE}{foundation} 2 {rest}" if component == "1" else None
