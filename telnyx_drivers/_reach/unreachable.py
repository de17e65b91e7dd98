"""Which failures to connect are for good: before the first success, there is no sense in trying those again."""

import socket
import ssl

_NO_SUCH_NAME = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})


def is_for_good(error: BaseException) -> bool:
    """A certificate that is not trusted, a name that nobody has, an HTTP answer that is no WebSocket.

    A refused connection, a time-out or a network that is away may be over in a moment.
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
