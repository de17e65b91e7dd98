"""The core's commands as methods of a running gateway: the same names, without the time."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import TypeAlias

from telnyx_core._wire.json_types import JsonView
from telnyx_core.errors import NotConnected
from telnyx_core.gateway.client_sockets import Way
from telnyx_core.gateway.core import GatewayCore
from telnyx_core.gateway.faults import Fault
from telnyx_core.gateway.options import FarEnd
from telnyx_core.ids import CallId, SocketId
from telnyx_core.options import CustomHeader

Where: TypeAlias = SocketId | str
"""A socket, or the user whose newest socket is meant."""


class Commands(ABC):
    """To be used on the gateway's own loop. Each does what it says at once, or raises a `LocalProtocolError`."""

    core: GatewayCore

    @abstractmethod
    def _command(self) -> AbstractContextManager[float]:
        """The time to give to the core; on the way out its actions are performed."""

    def socket(self, user: str) -> SocketId:
        """The newest socket that a user is logged in on. Raises `NotConnected` when there is none."""
        sockets = self.core.sockets(user)
        if not sockets:
            raise NotConnected(f"no socket of {user!r} is logged in")
        return sockets[-1]

    def _at(self, where: Where) -> SocketId:
        return self.socket(where) if isinstance(where, str) else where

    # Calls.

    def call_user(
        self,
        user: str,
        *,
        from_number: str = "+15550001111",
        from_name: str = "",
        behaviour: FarEnd = "echo",
        custom_headers: Iterable[CustomHeader] = (),
        client_state: str | None = None,
        with_sdp: bool = True,
        sdp_delay: float = 0.0,
        variables: Mapping[str, str] | None = None,
    ) -> CallId:
        """Call every socket of a user; see `GatewayCore.call_user`."""
        with self._command() as now:
            return self.core.call_user(
                user,
                now=now,
                from_number=from_number,
                from_name=from_name,
                behaviour=behaviour,
                custom_headers=tuple(custom_headers),
                client_state=client_state,
                with_sdp=with_sdp,
                sdp_delay=sdp_delay,
                variables=variables,
            )

    def hangup(
        self,
        call: CallId,
        *,
        cause: str | None = None,
        cause_code: int | None = None,
        sip_code: int | None = None,
        sip_reason: str | None = None,
        custom_headers: Iterable[CustomHeader] = (),
    ) -> None:
        """The far end hangs up; see `GatewayCore.hangup`."""
        with self._command() as now:
            self.core.hangup(
                call,
                now=now,
                cause_name=cause,
                cause_code=cause_code,
                sip_code=sip_code,
                sip_reason=sip_reason,
                custom_headers=tuple(custom_headers),
            )

    def renegotiate(self, call: CallId) -> None:
        """Send an ``attach`` with a new offer on a live call."""
        with self._command() as now:
            self.core.renegotiate(call, now=now)

    def info(self, call: CallId, members: JsonView) -> None:
        """Push an ``info`` about a call."""
        with self._command() as now:
            self.core.info(call, members, now=now)

    def digits(self, call: CallId, digits: str) -> None:
        """Send digits in the audio that a client hears (RFC 4733); see `GatewayCore.digits`."""
        with self._command() as now:
            self.core.digits(call, digits, now=now)

    def display(self, call: CallId, name: str, number: str, *, direction: str = "outbound") -> None:
        """Tell a client that it is now connected to another party."""
        with self._command() as now:
            self.core.display(call, name, number, now=now, direction=direction)

    # Sockets.

    def send(self, where: Where, text: str) -> None:
        """Send this text as it is."""
        with self._command() as now:
            self.core.send(self._at(where), text, now=now)

    def push(self, where: Where, method: str, params: JsonView) -> None:
        """Send a request with any method."""
        with self._command() as now:
            self.core.push(self._at(where), method, params, now=now)

    def push_state(self, where: Where, state: str) -> None:
        """Push a gateway state, which also later requests are told."""
        with self._command() as now:
            self.core.push_state(self._at(where), state, now=now)

    def push_event(self, where: Where, params: JsonView) -> None:
        """Push an event message."""
        with self._command() as now:
            self.core.event(self._at(where), params, now=now)

    def ai_event(self, where: Where, params: JsonView) -> None:
        """Push an ``ai_conversation`` message."""
        with self._command() as now:
            self.core.ai_event(self._at(where), params, now=now)

    def ping(self, where: Where) -> None:
        """Ping now."""
        with self._command() as now:
            self.core.ping(self._at(where), now=now)

    def punt(self, where: Where) -> None:
        """Another connection takes over: tell the client, then close."""
        with self._command() as now:
            self.core.punt(self._at(where), now=now)

    def drop(self, where: Where, *, code: int | None = None, reason: str = "") -> None:
        """Close with a code, or abort: the client sees 1006."""
        with self._command() as now:
            self.core.drop(self._at(where), now=now, code=code, reason=reason)

    # Trouble.

    def blackhole(self, where: Where, way: Way, *, lost: bool = True) -> None:
        """Lose what goes this way from now on, or no longer."""
        with self._command() as now:
            self.core.blackhole(self._at(where), way, now=now, lost=lost)

    def freeze(self, where: Where, *, frozen: bool = True) -> None:
        """Accept nothing and send nothing, or be alive again."""
        with self._command() as now:
            self.core.freeze(self._at(where), now=now, frozen=frozen)

    def add_fault(self, fault: Fault) -> None:
        """A rule more (`Fault`)."""
        with self._command() as now:
            self.core.add_fault(fault, now=now)

    def clear_faults(self) -> None:
        """No rules any more."""
        with self._command() as now:
            self.core.clear_faults(now=now)

    def expire_tokens(self, *tokens: str) -> None:
        """These login tokens, or all that the options name, are no longer good."""
        with self._command() as now:
            self.core.expire_tokens(*tokens, now=now)

    def forget_sessions(self) -> None:
        """No session will be known again once its socket is gone."""
        with self._command() as now:
            self.core.forget_sessions(now=now)

    def restart(self, *, recover: bool = False) -> None:
        """Crash and come back: sockets are cut, sessions and calls are gone. The port stays.

        With ``recover`` established calls are attached a moment after their client's next login.
        """
        with self._command() as now:
            self.core.restart(now=now, recover=recover)

    def shut_down(self) -> None:
        """End every call with SYSTEM_SHUTDOWN, and close every socket; clients may come back."""
        with self._command() as now:
            self.core.shut_down(now=now)
