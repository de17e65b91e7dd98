"""Failures to connect that are permanent: before the first success, trying again is useless."""

import socket
import ssl

_NO_SUCH_NAME = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})


def is_for_good(error: BaseException) -> bool:
    """An untrusted certificate, a name that does not exist, an HTTP answer that is no WebSocket.

    A refused connection, a timeout or a lost network may be over in a moment.
    """
    match error:
        case ssl.SSLCertVerificationError():
            return True
        case socket.gaierror():
            return error.errno in _NO_SUCH_NAME
        case ssl.SSLError():
            return error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST")  # there is no TLS at this port
        case _:
            return False
