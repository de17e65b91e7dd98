"""The error and warning catalogues as data (signaling.md 6.2 and 6.3): codes, names, texts, and what is fatal."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from attrs import frozen

from telnyx_core.errors import Failure, TelnyxError, TelnyxWarning


class ErrorCode(IntEnum):
    """Codes of ``telnyx.error``. A member's name is the ``name`` of the error."""

    SDP_CREATE_OFFER_FAILED = 40001
    SDP_CREATE_ANSWER_FAILED = 40002
    SDP_SET_LOCAL_DESCRIPTION_FAILED = 40003
    SDP_SET_REMOTE_DESCRIPTION_FAILED = 40004
    SDP_SEND_FAILED = 40005
    MEDIA_MICROPHONE_PERMISSION_DENIED = 42001
    MEDIA_DEVICE_NOT_FOUND = 42002
    MEDIA_GET_USER_MEDIA_FAILED = 42003
    HOLD_FAILED = 44001
    INVALID_CALL_PARAMETERS = 44002
    BYE_SEND_FAILED = 44003
    SUBSCRIBE_FAILED = 44004
    PEER_CLOSED_DURING_INIT = 44005
    WEBSOCKET_CONNECTION_FAILED = 45001
    WEBSOCKET_ERROR = 45002
    RECONNECTION_EXHAUSTED = 45003
    GATEWAY_FAILED = 45004
    LOGIN_FAILED = 46001
    INVALID_CREDENTIALS = 46002
    AUTHENTICATION_REQUIRED = 46003
    ICE_RESTART_FAILED = 47001
    NETWORK_OFFLINE = 48001
    SESSION_NOT_REATTACHED = 48501
    UNEXPECTED_ERROR = 49001


class WarningCode(IntEnum):
    """Codes of ``telnyx.warning``. A member's name is the ``name`` of the warning."""

    HIGH_RTT = 31001
    HIGH_JITTER = 31002
    HIGH_PACKET_LOSS = 31003
    LOW_MOS = 31004
    LOW_LOCAL_AUDIO = 31005
    LOW_INBOUND_AUDIO = 31006
    LOW_BYTES_RECEIVED = 32001
    LOW_BYTES_SENT = 32002
    RECORDING_UNAVAILABLE = 32003
    RECORDING_BUFFER_OVERFLOW = 32004
    ICE_CONNECTIVITY_LOST = 33001
    ICE_GATHERING_TIMEOUT = 33002
    ICE_GATHERING_EMPTY = 33003
    PEER_CONNECTION_FAILED = 33004
    ONLY_HOST_ICE_CANDIDATES = 33005
    ANSWER_WHILE_PEER_ACTIVE = 33006
    DUPLICATE_INBOUND_ANSWER = 33007
    ICE_CANDIDATE_PAIR_CHANGED = 33008
    AUDIO_INPUT_DEVICE_CHANGE_SKIPPED = 33009
    MULTIPLE_ACTIVE_CALLS_DETECTED = 33010
    SHARED_REMOTE_ELEMENT_OVERWRITE = 33011
    TOKEN_EXPIRING_SOON = 34001
    UNKNOWN_REATTACHED_SESSION = 35002
    SIGNALING_RECOVERY_REQUIRED = 36003
    MEDIA_RECOVERY_REQUIRED = 36004
    RECONNECTION_FAILED_WITH_NO_AUTO_RECONNECT = 36005


@frozen
class Entry:
    """The texts of one code: ``message`` for the person at the phone, the rest for the programmer."""

    message: str
    description: str
    causes: tuple[str, ...]
    solutions: tuple[str, ...]


_PLACE_AGAIN = "Place the call again."
_CHECK_NETWORK = "Check the network between this host and the platform."
_RENEW = "Get fresh credentials and pass them to login()."
_WAIT = "Nothing to do at once: the client is reconnecting; telnyx.ready tells when it is back."

ERRORS: Final[Mapping[ErrorCode, Entry]] = {
    ErrorCode.SDP_CREATE_OFFER_FAILED: Entry(
        "The call could not be prepared.",
        "The media engine did not produce an SDP offer for the call.",
        ("The audio or codec options contradict each other.", "The media engine was closed or in a wrong state."),
        ("Check preferred_codecs, audio and ice_servers.", _PLACE_AGAIN),
    ),
    ErrorCode.SDP_CREATE_ANSWER_FAILED: Entry(
        "The incoming call could not be answered.",
        "The media engine did not produce an SDP answer to the caller's offer.",
        ("The offer has no codec that this client can use.", "The media engine was closed or in a wrong state."),
        ("Check preferred_codecs.", "Let the caller try again."),
    ),
    ErrorCode.SDP_SET_LOCAL_DESCRIPTION_FAILED: Entry(
        "The call could not be prepared.",
        "The media engine refused the session description that it had made itself.",
        ("No UDP port or network interface could be opened.", "The media engine was in a wrong state."),
        ("Check ice_servers and the host's network interfaces.", _PLACE_AGAIN),
    ),
    ErrorCode.SDP_SET_REMOTE_DESCRIPTION_FAILED: Entry(
        "The other side's media settings cannot be used.",
        "The media engine refused the remote session description; the call was hung up.",
        ("The remote SDP is malformed.", "There is no common codec.", "The DTLS fingerprint is missing or unknown."),
        ("Check preferred_codecs.", _PLACE_AGAIN),
    ),
    ErrorCode.SDP_SEND_FAILED: Entry(
        "The call could not be set up.",
        "The message that carries the session description was refused or could not be delivered; the call was hung up.",
        ("The connection was lost while the call was being set up.", "The server refused the call."),
        ("Look at the original failure for the server's reason.", _CHECK_NETWORK, _PLACE_AGAIN),
    ),
    ErrorCode.MEDIA_MICROPHONE_PERMISSION_DENIED: Entry(
        "The audio device may not be used.",
        "The operating system refused access to the microphone, or to the loudspeaker.",
        ("The user or a policy denied access.", "The process has no right to the sound device."),
        ("Grant access to the device.", "Use another audio source, such as a file or a stream."),
    ),
    ErrorCode.MEDIA_DEVICE_NOT_FOUND: Entry(
        "No suitable audio device was found.",
        "The audio source or sink that was asked for does not exist or cannot do what was asked of it.",
        (
            "The device is not plugged in.",
            "mic_id or speaker_id names nothing.",
            "The device lacks the sample rate or channels.",
        ),
        ("Plug in or choose another device.", "Leave mic_id and speaker_id out to use the default ones."),
    ),
    ErrorCode.MEDIA_GET_USER_MEDIA_FAILED: Entry(
        "An audio device, or what is sent in its place, failed.",
        "An audio source or sink could not be opened, or broke off in mid-call; then the call goes on without it.",
        ("Another program holds the device.", "The device was unplugged.", "A file or a stream being sent broke off."),
        ("See the original failure.", "Close other programs that use the device.", "Play, or choose, something else."),
    ),
    ErrorCode.HOLD_FAILED: Entry(
        "The hold state was not changed.",
        "The server did not carry out hold, unhold or toggle_hold; the call goes on as before.",
        ("The server refused the change.", "The connection was lost while waiting for the answer."),
        ("Try again while the call is active or held.",),
    ),
    ErrorCode.INVALID_CALL_PARAMETERS: Entry(
        "The call cannot be placed with these options.",
        "A call option is missing or unusable. Nothing was sent.",
        ("destination_number is missing.", "An option has a wrong type or an unknown name."),
        ("Correct the option that the error names.",),
    ),
    ErrorCode.BYE_SEND_FAILED: Entry(
        "The server may not know that the call has ended.",
        "The hang-up message was not confirmed; on this side the call is over.",
        ("The connection was lost before the server answered.", "The server no longer knew the call."),
        ("Nothing needs to be done.",),
    ),
    ErrorCode.SUBSCRIBE_FAILED: Entry(
        "Conference events will be missing.",
        "The subscription to a conference channel was refused or not answered.",
        ("The server refused the channel.", "The connection was lost."),
        ("Join the conference again.",),
    ),
    ErrorCode.PEER_CLOSED_DURING_INIT: Entry(
        "The call ended before its audio was ready.",
        "A hang-up overtook the set-up of the call's media.",
        ("One side hung up at once.", "The client was disconnected during the set-up."),
        ("Nothing, unless it happens often: then look at how long candidate gathering takes.",),
    ),
    ErrorCode.WEBSOCKET_CONNECTION_FAILED: Entry(
        "The connection cannot be made.",
        "The WebSocket could not even be created; no further attempt is made.",
        ("env or host is not a valid WebSocket address.", "TLS or the port is not available on this host."),
        ("Correct env or host.", "Then call connect()."),
    ),
    ErrorCode.WEBSOCKET_ERROR: Entry(
        "The connection failed.",
        "The WebSocket reported a transport failure or could not be established.",
        ("The network is down or changed.", "The server restarted.", "A proxy or firewall cut the connection."),
        (_WAIT, _CHECK_NETWORK),
    ),
    ErrorCode.RECONNECTION_EXHAUSTED: Entry(
        "The connection could not be restored.",
        "All automatic reconnection attempts failed; no further one is made.",
        ("The outage is longer than the attempts allowed.", "A firewall blocks the platform.", "The gateway is down."),
        (_CHECK_NETWORK, "Call connect() when it is back.", "Raise max_reconnect_attempts, or set 0 for no limit."),
    ),
    ErrorCode.GATEWAY_FAILED: Entry(
        "The telephone service is not available at the moment.",
        "The SIP registration behind this session failed or timed out; the client tries to register again.",
        ("The platform has a fault.", "The SIP credential is disabled or limited."),
        (_WAIT, "If it lasts, check the SIP connection in the portal."),
    ),
    ErrorCode.LOGIN_FAILED: Entry(
        "The login was refused.",
        "The server does not accept the credentials, or never confirmed the registration.",
        ("The token or password is wrong or expired.", "The account or credential is disabled."),
        (_RENEW,),
    ),
    ErrorCode.INVALID_CREDENTIALS: Entry(
        "The credentials are incomplete.",
        "login() was given no usable set of credentials. Nothing was sent.",
        ("A member is missing or empty.", "More than one login method was given."),
        ("Give login_token, or login and password, or anonymous_login.",),
    ),
    ErrorCode.AUTHENTICATION_REQUIRED: Entry(
        "The session is no longer logged in.",
        "The server refused a request because the session is not authenticated.",
        ("The token expired.", "The request was sent before telnyx.ready."),
        (_RENEW, "Wait for telnyx.ready before the next call."),
    ),
    ErrorCode.ICE_RESTART_FAILED: Entry(
        "The audio path was not renewed.",
        "The server refused the new candidates, did not answer in time, or they could not be used.",
        ("The connection to the server is down too.", "The server refused the change."),
        ("Wait: it is tried again as long as the call lives.", "If audio stays away, hang up and call again."),
    ),
    ErrorCode.NETWORK_OFFLINE: Entry(
        "There is no network.",
        "The host reports that it has no network connection.",
        ("A cable is unplugged.", "The radio is off or out of range."),
        ("Restore the network; the client reconnects by itself.",),
    ),
    ErrorCode.SESSION_NOT_REATTACHED: Entry(
        "The call was lost during the outage.",
        "After the reconnection the server no longer had the call.",
        ("The outage was longer than the server keeps a call.", "The server restarted.", "The other side hung up."),
        ("Tell the user and call again.",),
    ),
    ErrorCode.UNEXPECTED_ERROR: Entry(
        "The call failed.",
        "The set-up of the call's media failed for a reason that no other code covers.",
        ("See the original failure.", "Nothing passes between this host and the platform's media: UDP is blocked."),
        ("Open UDP or allow TURN over TCP or TLS.", "Report the original failure together with the log."),
    ),
}

_NOT_FATAL: Final = frozenset(
    {
        ErrorCode.HOLD_FAILED,
        ErrorCode.BYE_SEND_FAILED,
        ErrorCode.SUBSCRIBE_FAILED,
        ErrorCode.WEBSOCKET_ERROR,
        ErrorCode.GATEWAY_FAILED,
        ErrorCode.AUTHENTICATION_REQUIRED,
        ErrorCode.ICE_RESTART_FAILED,
        ErrorCode.NETWORK_OFFLINE,
    }
)

_BAD_NETWORK = ("The network is congested or weak.", "Wi-Fi or a VPN adds delay or loss.")
_BETTER_NETWORK = ("Use a wired or less loaded network.", "Check routers and VPN between this host and the platform.")

WARNINGS: Final[Mapping[WarningCode, Entry]] = {
    WarningCode.HIGH_RTT: Entry(
        "The delay is high.",
        "The round-trip time stayed above its threshold for three samples in a row.",
        (*_BAD_NETWORK, "The region is far away."),
        (*_BETTER_NETWORK, "Choose a nearer region."),
    ),
    WarningCode.HIGH_JITTER: Entry(
        "The audio arrives unevenly.",
        "The jitter stayed above its threshold for three samples in a row.",
        _BAD_NETWORK,
        _BETTER_NETWORK,
    ),
    WarningCode.HIGH_PACKET_LOSS: Entry(
        "Audio is being lost.",
        "The packet loss stayed above its threshold for three samples in a row.",
        _BAD_NETWORK,
        _BETTER_NETWORK,
    ),
    WarningCode.LOW_MOS: Entry(
        "The call quality is low.",
        "The estimated mean opinion score stayed below its threshold for three samples in a row.",
        (*_BAD_NETWORK, "Delay, jitter and loss add up."),
        _BETTER_NETWORK,
    ),
    WarningCode.LOW_LOCAL_AUDIO: Entry(
        "The other side may not hear you.",
        "Audio is being sent, but its level is near zero.",
        ("The microphone is muted outside this program.", "The audio source sends silence."),
        ("Check the input device and its level.", "Check what is written to the call."),
    ),
    WarningCode.LOW_INBOUND_AUDIO: Entry(
        "The other side is silent.",
        "Audio arrives, but its level is near zero.",
        ("The other side is muted or silent.", "The far end's microphone is broken."),
        ("Ask the other side to check the microphone.",),
    ),
    WarningCode.LOW_BYTES_RECEIVED: Entry(
        "No audio arrives.",
        "No media bytes were received for three samples in a row.",
        ("A firewall blocks UDP.", "The network path changed.", "The far end stopped sending."),
        ("Wait: the client renews the media path.", _CHECK_NETWORK),
    ),
    WarningCode.LOW_BYTES_SENT: Entry(
        "No audio is being sent.",
        "No media bytes were sent for three samples in a row.",
        ("The audio source stopped.", "The network path is gone."),
        ("Check the audio source.", _CHECK_NETWORK),
    ),
    WarningCode.RECORDING_UNAVAILABLE: Entry(
        "The call cannot be recorded.",
        "A recording was asked for but is not possible here.",
        ("The target cannot be written.", "The media extra is not installed."),
        ("Check the target's path and permissions.",),
    ),
    WarningCode.RECORDING_BUFFER_OVERFLOW: Entry(
        "Part of the recording is missing.",
        "The recording buffer was full and its oldest audio was dropped.",
        ("The target is written more slowly than audio arrives.",),
        ("Record to a faster target.",),
    ),
    WarningCode.ICE_CONNECTIVITY_LOST: Entry(
        "The audio path is interrupted.",
        "The peer connection is disconnected; it may come back by itself.",
        ("The network is down or changed.", "A NAT or firewall dropped the path."),
        ("Wait: the client renews the media path if it does not come back.",),
    ),
    WarningCode.ICE_GATHERING_TIMEOUT: Entry(
        "Finding a network path takes long.",
        "Some candidates were found, but gathering had not finished after 15 seconds.",
        ("A STUN or TURN server does not answer.",),
        ("Check ice_servers.", "Use trickle_ice so that calls need not wait."),
    ),
    WarningCode.ICE_GATHERING_EMPTY: Entry(
        "No network path was found.",
        "No candidate had been found 15 seconds after gathering began.",
        ("There is no usable network interface.", "force_relay_candidate is set and no TURN server answers."),
        ("Check the network interfaces and ice_servers.",),
    ),
    WarningCode.PEER_CONNECTION_FAILED: Entry(
        "The audio path failed.",
        "The peer connection failed.",
        ("No candidate pair works any more.", "The DTLS handshake failed."),
        ("Wait: the client renews the media path.", "Open UDP or allow TURN over TCP or TLS."),
    ),
    WarningCode.ONLY_HOST_ICE_CANDIDATES: Entry(
        "Audio may fail outside the local network.",
        "The local description has host candidates only.",
        ("STUN and TURN servers are unreachable.", "ice_servers is empty."),
        ("Allow UDP to the STUN and TURN servers.", "Check ice_servers."),
    ),
    WarningCode.ANSWER_WHILE_PEER_ACTIVE: Entry(
        "The call is already being answered.",
        "answer() was called on a call that already has a peer connection; it was ignored.",
        ("answer() was called twice.",),
        ("Call answer() once per call.",),
    ),
    WarningCode.DUPLICATE_INBOUND_ANSWER: Entry(
        "Another leg of this call is already being answered.",
        "answer() was called while another leg with the same identity is being answered.",
        ("The platform offered the same call twice.",),
        ("Keep the leg that is already being answered.",),
    ),
    WarningCode.ICE_CANDIDATE_PAIR_CHANGED: Entry(
        "The audio path changed.",
        "ICE selected another candidate pair during the call.",
        ("The network changed.", "A better path was found."),
        ("Nothing needs to be done; expect other delay and loss figures.",),
    ),
    WarningCode.AUDIO_INPUT_DEVICE_CHANGE_SKIPPED: Entry(
        "The microphone was not changed.",
        "The call has no audio sender whose source could be replaced.",
        ("The call is receive-only.", "The call's media is not set up yet."),
        ("Change the device when the call is active and sends audio.",),
    ),
    WarningCode.MULTIPLE_ACTIVE_CALLS_DETECTED: Entry(
        "There is more than one call.",
        "A call was created, received or recovered while others had not ended.",
        ("A call was not hung up.", "Two calls are wanted."),
        ("Hang up or hold the calls that are not needed.",),
    ),
    WarningCode.SHARED_REMOTE_ELEMENT_OVERWRITE: Entry(
        "Two calls share one audio output.",
        "A second call took over the audio sink of a call that has not ended.",
        ("The same sink was given to two calls.",),
        ("Give each call a sink of its own.",),
    ),
    WarningCode.TOKEN_EXPIRING_SOON: Entry(
        "The login is about to expire.",
        "The login token ends within two minutes.",
        ("The token has reached the end of its life.",),
        ("Get a new token and pass it to login(); calls go on.",),
    ),
    WarningCode.UNKNOWN_REATTACHED_SESSION: Entry(
        "The server offered an unknown call.",
        "The server wants to re-attach a call that this client does not know; it was not answered.",
        ("The process was restarted.", "Another client uses the same session."),
        ("Nothing needs to be done; the server drops the call.",),
    ),
    WarningCode.SIGNALING_RECOVERY_REQUIRED: Entry(
        "The connection is being replaced.",
        "The signalling path no longer answers and is considered broken.",
        ("The network changed.", "A proxy dropped the connection silently."),
        (_WAIT,),
    ),
    WarningCode.MEDIA_RECOVERY_REQUIRED: Entry(
        "The audio path is being renewed.",
        "The media path is broken while signalling works; ICE is restarted.",
        ("The network path changed.", "A NAT or firewall dropped the path."),
        ("Nothing to do at once; 47001 tells if it fails.",),
    ),
    WarningCode.RECONNECTION_FAILED_WITH_NO_AUTO_RECONNECT: Entry(
        "The connection ended.",
        "The connection was lost and nothing will restore it by itself.",
        ("auto_reconnect is off.", "The login was refused.", "The server sent this client away."),
        ("Call connect(), after login trouble with fresh credentials.",),
    ),
}


def make_error(code: ErrorCode, original: Failure | None = None, *, fatal: bool | None = None) -> TelnyxError:
    """The error of this code as it happened now.

    ``fatal`` overrides the catalogue's value where a rule says so: the recovery form of 42001 to 42003, and
    46003 without automatic reconnection.
    """
    entry = ERRORS[code]
    return TelnyxError(
        code=int(code),
        name=code.name,
        message=entry.message,
        description=entry.description,
        causes=entry.causes,
        solutions=entry.solutions,
        fatal=code not in _NOT_FATAL if fatal is None else fatal,
        original=original,
    )


def make_warning(code: WarningCode) -> TelnyxWarning:
    """The warning of this code."""
    entry = WARNINGS[code]
    return TelnyxWarning(
        code=int(code),
        name=code.name,
        message=entry.message,
        description=entry.description,
        causes=entry.causes,
        solutions=entry.solutions,
    )
