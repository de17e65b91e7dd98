"""Every duration of the protocol, in seconds, with its rule."""

from typing import Final

CONNECT: Final = 15.0  # for the WebSocket to open (SIG-450)
CLOSE_SAFETY: Final = 5.0  # for the closing handshake (SIG-462)
REQUEST: Final = 10.0  # for a reply that the server can give at once (SIG-066, SIG-067)
INVITE_REPLY: Final = 30.0  # for the reply to an invite (SIG-067, CALL-700)
REGISTRATION_WATCH: Final = 10.0  # without a gateway state after which it is asked for (SIG-452)
KEEPALIVE: Final = 35.0  # between keepalives (SIG-456)
QUIET: Final = 4.0  # SIG-458: seconds without a frame after which the server is asked whether it is there
QUIET_TALKING: Final = 2.0  # SIG-458: the same with a call, or where answers are slow
SILENCE: Final = 12.0  # SIG-458: and after which it is given up
OUTBOUND_SILENCE: Final = 45.0  # without a reply to us after which a probe is sent, although frames come (SIG-459)
PROBE: Final = 10.0  # SIG-460: for an answer while other frames come
DOUBT: Final = 5.0  # SIG-460: for an answer where something else speaks against the socket
CLOSE_SILENT: Final = 1.0  # SIG-277: for the closing of a socket that is silent anyway
STALL: Final = 1.0  # SIG-482: later than this, and we were the ones who did not listen
RECENT: Final = 3.0  # since the last frame within which a socket counts as healthy (SIG-461)
TOKEN_NOTICE: Final = 120.0  # before a token expires: warning 34001 (SIG-251)
TOKEN_PAUSE: Final = 30.0  # between two requests for a token because one expires: it may live shorter than the notice
LOGIN_NOTICE: Final = 30.0  # PS-012: so long before a login ends it is renewed
SESSION_FRESH: Final = 120.0  # after which a session id is too old to be resumed (SIG-464)
MARKER_AGE: Final = 900.0  # after which a call marker is dropped (SIG-465)
BYE_GUARD: Final = 5.0  # for the reply to a BYE; then the call is destroyed (SIG-466)
DISCONNECT_BYE: Final = 5.0  # for the BYEs of all calls together (SIG-467)
ATTACH_WAIT: Final = 15.0  # for the attach of a call that the server has listed (SIG-469)
RETAIN: Final = 2.5  # SIG-326: a call that plays on takes commands again within three seconds
ORPHAN: Final = 120.0  # SIG-470: for so long the server keeps a call whose socket is lost (PS-001)
ORPHAN_AGAIN: Final = 30.0  # more, while a login that decides is under way (SIG-304)
TOMBSTONE: Final = 150.0  # SIG-471: longer than that
HURRIED: Final = 5.0  # PS-003
HURRIED_LEAST: Final = 0.5
SPEED_TEST: Final = 30.0  # for the result of a speed test (SIG-473)
PUNT_GUARD: Final = 60.0  # within which a second punt is final (SIG-472)
PATH_CHANGE_PAUSE: Final = 1.0  # T40
RETRY_AFTER: Final = 300.0
"""The longest ``Retry-After`` that is obeyed: a phone that cannot be reached for an hour is of no use."""
STEADY: Final = 30.0
"""A registration that lasts less does not count as success: the server may fail because all clients come back."""

HOLD_AGAIN: Final = 0.5  # CALL-361
AWAIT_REMOTE: Final = 10.0  # for the offer of a call that is to be answered (CALL-344)
GATHER_WINDOW: Final = 1.0  # for more candidates after the first (MEDIA-600)
GATHER_WINDOW_ATTACH: Final = 5.0  # the same for an attach, which never trickles (MEDIA-062)
GATHER_SAFETY: Final = 15.0  # for gathering as a whole (MEDIA-601)
DISCONNECTED_GRACE: Final = 3.0  # for a disconnected peer to come back by itself (MEDIA-603)
RENEW_LIMIT: Final = 15.0  # for the reply to a renewal (MEDIA-604)
RENEW_VERIFY: Final = 15.0  # for the renewed path to connect after that (MEDIA-605)
RENEW_BACKOFF: Final = 3.0  # before the second attempt, then doubling (MEDIA-606)
EPISODE_RESET: Final = 30.0  # without a fault after which attempts are counted anew (MEDIA-607)
CONNECT_LIMIT: Final = 15.0  # for the first connection of an answered call (MEDIA-608)
