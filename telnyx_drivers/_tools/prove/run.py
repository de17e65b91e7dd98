"""All steps, one after the other, each with clients of its own."""

from pathlib import Path
from typing import Final

from telnyx_drivers._tools.prove.bundle import Proof
from telnyx_drivers._tools.prove.evidence import Evidence, Step
from telnyx_drivers._tools.prove.plan import Plan
from telnyx_drivers._tools.prove.rules import judge
from telnyx_drivers._tools.prove.steps import carry_out
from telnyx_drivers.diagnose.report import Listener

NAMES: Final[dict[Step, str]] = {
    "servers": "STUN and TURN servers, one by one",
    "talk": "A call: hold at once, echo, keys, headers",
    "codecs": "Each codec alone",
    "relay": "Each TURN server alone",
    "drop": "A lost socket",
    "away": "A long absence",
    "back": "A call to this user",
    "drift": "A long call: drift",
}


async def prove(plan: Plan, folder: Path, listener: Listener, evidence: list[Evidence]) -> Proof:
    """Carry out every step and judge. ``folder`` takes the journals, which are private.

    What is known goes into ``evidence`` as it becomes known, so that an interruption loses one step only. Calls that
    are going on are hung up if this is cancelled.
    """
    for step in plan.carried_out:
        listener.begins(NAMES[step])
        found = await carry_out(plan, step, folder)
        evidence.append(found)
        listener.done(NAMES[step], ok=found.failure is None, detail=found.told)
    return proof_of(plan, evidence, complete=True)


def proof_of(plan: Plan, evidence: list[Evidence], *, complete: bool) -> Proof:
    """The verdicts over what there is."""
    found = tuple(evidence)
    return Proof(plan=plan, evidence=found, findings=judge(found), complete=complete)
