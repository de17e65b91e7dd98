"""Many workers that share calls: leases of shards, exact slots, at most one dial for each key.

`Ledger` is what they share, `Worker` and `Head` are the parties; each is a state machine without I/O, as `Session` is.
"""

from telnyx_core.fleet.calls import CallRecord, Outcome, Stage
from telnyx_core.fleet.head import Head
from telnyx_core.fleet.ledger import Ledger
from telnyx_core.fleet.requests import Reply, Request
from telnyx_core.fleet.worker import Worker

__all__ = ["CallRecord", "Head", "Ledger", "Outcome", "Reply", "Request", "Stage", "Worker"]
