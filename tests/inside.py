"""What tests look at inside a session: the one door to it, which has no public name."""

from telnyx_core import Session
from telnyx_core._hub import Hub


def hub_of(session: Session) -> Hub:
    """What the parts of a session share: its timers, its link, its calls and their peers."""
    return session._hub
