"""Many calls over many worker processes, each call with one owner, which another one replaces when it is lost.

``async with Fleet(bot, slots=300, store=folder, login_token=token) as fleet: await fleet.dial("+1...", key="lead-42")``
"""

from telnyx_core.fleet import CallRecord, Outcome, Stage
from telnyx_drivers.fleet.fleet import Fleet, FleetCall, FleetClosed, FleetFull
from telnyx_drivers.fleet.store import FleetStore, LocalStore
from telnyx_drivers.fleet.worker import this_call

__all__ = [
    "CallRecord",
    "Fleet",
    "FleetCall",
    "FleetClosed",
    "FleetFull",
    "FleetStore",
    "LocalStore",
    "Outcome",
    "Stage",
    "this_call",
]
