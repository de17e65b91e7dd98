"""How the test kit gives a session a command: at the present time of its clock, and every action is taken after it."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

from telnyx_core.ids import Ticket
from telnyx_core.session import Session
from telnyx_core.testing.contract import ContractChecker

_T = TypeVar("_T")


class Asking(ABC):
    session: Session
    ledger: ContractChecker

    @abstractmethod
    def _ask(self, command: Callable[[float], _T]) -> _T:
        """Give a command, which takes the time, and take every action."""

    def _ticket(self, command: Callable[[float], Ticket]) -> Ticket:
        """As `_ask`; the checker knows of the ticket before an action can settle it."""

        def asked(now: float) -> Ticket:
            ticket = command(now)
            self.ledger.asked(ticket)
            return ticket

        return self._ask(asked)
