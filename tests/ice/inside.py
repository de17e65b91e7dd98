"""What tests look at inside an ICE agent, whose own attributes are no part of its door."""

from telnyx_core.ice import Agent
from telnyx_core.ice.checks import Checks
from telnyx_core.ice.generation import Generation


def current(agent: Agent) -> Generation:
    """What the newest credentials have brought."""
    return agent._current


def generations(agent: Agent) -> list[Generation]:
    """All that still count: after a restart the one before it as well."""
    return list(agent._generations)


def checks_of(agent: Agent) -> Checks:
    """The role, and the checks whose answers may still come."""
    return agent._checks
