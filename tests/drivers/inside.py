"""What tests look at inside a client: the doors to its parts, which have no public names."""

from telnyx_core import Session
from telnyx_drivers._client import Client
from telnyx_drivers._driver import Driver
from telnyx_drivers._services.journal import Journal


def session_of(client: Client) -> Session:
    """The session that a client drives."""
    return client._session


def driver_of(client: Client) -> Driver:
    """What carries the facts and the actions of a client's session."""
    return client._driver


def journal_of(client: Client) -> Journal:
    """The journal of a client that was told to keep one."""
    assert client._journal is not None
    return client._journal
