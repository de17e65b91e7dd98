"""Every duration of the protocol, in seconds, with its rule."""

from typing import Final

CONNECT: Final = 15.0  # SIG-450
CLOSE_SAFETY: Final = 5.0  # SIG-462
REQUEST: Final = 10.0  # SIG-066, SIG-067
INVITE_REPLY: Final = 30.0  # SIG-067, CALL-700
REGISTRATION_WATCH: Final = 10.0  # SIG-452
KEEPALIVE: Final = 35.0  # SIG-456
HEALTH_CHECK: Final = 3.0  # SIG-457
INBOUND_SILENCE: Final = 20.0  # SIG-458
OUTBOUND_SILENCE: Final = 45.0  # SIG-459
PROBE: Final = 5.0  # SIG-460
RECENT: Final = 3.0  # SIG-461
TOKEN_NOTICE: Final = 120.0  # SIG-251
SESSION_FRESH: Final = 90.0  # SIG-464
MARKER_AGE: Final = 900.0  # SIG-465
BYE_GUARD: Final = 5.0  # SIG-466
DISCONNECT_BYE: Final = 5.0  # SIG-467
ATTACH_WAIT: Final = 15.0  # SIG-469
ORPHAN: Final = 120.0  # SIG-470
ORPHAN_AGAIN: Final = 30.0  # SIG-304
TOMBSTONE: Final = 90.0  # SIG-471
PUNT_GUARD: Final = 60.0  # SIG-472
PATH_CHANGE_PAUSE: Final = 1.0  # T40
RETRY_AFTER: Final = 300.0
"""At most: a server that asks for more has another reason, and a phone that is mute for an hour is of no use."""
STEADY: Final = 30.0
"""A registration that lasts shorter was worth nothing: the server falls over because we come."""

AWAIT_REMOTE: Final = 10.0  # CALL-344
GATHER_WINDOW: Final = 1.0  # MEDIA-600
GATHER_WINDOW_ATTACH: Final = 5.0  # MEDIA-062
GATHER_SAFETY: Final = 15.0  # MEDIA-601
DISCONNECTED_GRACE: Final = 3.0  # MEDIA-603
RENEW_LIMIT: Final = 15.0  # MEDIA-604
RENEW_VERIFY: Final = 15.0  # MEDIA-605
RENEW_BACKOFF: Final = 3.0  # MEDIA-606
EPISODE_RESET: Final = 30.0  # MEDIA-607
CONNECT_LIMIT: Final = 15.0  # MEDIA-608
