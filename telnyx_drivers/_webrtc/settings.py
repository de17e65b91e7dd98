"""Settings that all peers of an engine share."""

import ipaddress
import ssl
from typing import Final
from urllib.parse import urlsplit

from attrs import field, frozen

from telnyx_core.ice import Timing
from telnyx_drivers._webrtc import ice
from telnyx_drivers._webrtc.direct_rtp import direct_rtp_path
from telnyx_drivers._webrtc.host_addresses import host_addresses
from telnyx_drivers._webrtc.rtp_path import RtpPathFactory


@frozen(kw_only=True)
class PeerSettings:
    rtp_path: RtpPathFactory = direct_rtp_path
    silence_suppression: bool = False
    """Leave out what is silent, where the codec or the far end knows how (DTX, RFC 3389), and ask for the same."""
    loopback: bool = False
    reflexive_first: bool = True
    patience: ice.GatheringTimeouts = field(factory=ice.GatheringTimeouts)
    stands_in_for_server: bool = False
    """Choose the path as the platform's server does (see `ice_serving`)."""
    delay: float = 0.0
    """Seconds that each datagram takes more, each way: as if the other end were that far away."""
    timing: Timing = field(factory=lambda: Timing(consent=4.0))
    """Of checks and consent. What servers are given to answer stands in ``patience``."""
    addresses: ice.Addresses = host_addresses
    turn_tls: ssl.SSLContext | None = None
    """For TURN over TLS; without it the system's authorities and the server's name are checked."""


_BRIEFLY: Final = ice.GatheringTimeouts(window=0.3)


def settings_for(url: str, tls: ssl.SSLContext | None = None) -> PeerSettings:
    """Towards this host, loopback may be used, and servers outside are not waited for; towards the internet, what a
    STUN server saw is likeliest to work.
    """
    host = (urlsplit(url).hostname or "").rstrip(".").lower()
    named = host == "localhost" or host.endswith(".localhost")
    try:
        address = ipaddress.ip_address("127.0.0.1" if named else host)
    except ValueError:
        return PeerSettings(reflexive_first=not host.endswith(".local"), turn_tls=tls)
    if address.is_loopback:
        return PeerSettings(loopback=True, reflexive_first=False, patience=_BRIEFLY, turn_tls=tls)
    return PeerSettings(reflexive_first=not address.is_private, turn_tls=tls)
