"""The commands of a session on a virtual clock.

Made by docs/_tools/commands.py from `Session`: change that one, and run the tool.
"""

from collections.abc import Mapping

from telnyx_core._wire.json_types import JsonView
from telnyx_core.actions import DigitsVia
from telnyx_core.ids import CallId, Ticket
from telnyx_core.options import CustomHeader
from telnyx_core.testing.asking import Asking


class Commands(Asking):
    """As the methods of `Session`, without ``now``."""

    def connect(self) -> None:
        self._ask(lambda now: self.session.connect(now=now))

    def disconnect(self) -> None:
        self._ask(lambda now: self.session.disconnect(now=now))

    def leave(self) -> None:
        self._ask(lambda now: self.session.leave(now=now))

    def login(self, credentials: Mapping[str, object], *, same_user: bool = False) -> Ticket:
        return self._ticket(lambda now: self.session.login(credentials, same_user=same_user, now=now))

    def provide_tokens(self) -> None:
        self._ask(lambda now: self.session.provide_tokens(now=now))

    def switch_region(self, region: str) -> None:
        self._ask(lambda now: self.session.switch_region(region, now=now))

    def is_registered(self) -> Ticket:
        return self._ticket(lambda now: self.session.is_registered(now=now))

    def subscribe(self, channel: str) -> Ticket:
        return self._ticket(lambda now: self.session.subscribe(channel, now=now))

    def unsubscribe(self, channel: str) -> Ticket:
        return self._ticket(lambda now: self.session.unsubscribe(channel, now=now))

    def broadcast(self, channel: str, data: JsonView) -> Ticket:
        return self._ticket(lambda now: self.session.broadcast(channel, data, now=now))

    def speed_test(self, size: int) -> Ticket:
        return self._ticket(lambda now: self.session.speed_test(size, now=now))

    def clear_reconnect_token(self) -> None:
        self._ask(lambda now: self.session.clear_reconnect_token(now=now))

    def answer(self, call: CallId, *, custom_headers: tuple[CustomHeader, ...] = ()) -> None:
        self._ask(lambda now: self.session.answer(call, custom_headers=custom_headers, now=now))

    def hangup(
        self,
        call: CallId,
        *,
        cause: str | None = None,
        cause_code: int | None = None,
        sip_code: int | None = None,
        sip_reason: str | None = None,
        sip_call_id: str | None = None,
        custom_headers: tuple[CustomHeader, ...] = (),
    ) -> Ticket:
        return self._ticket(
            lambda now: self.session.hangup(
                call,
                cause=cause,
                cause_code=cause_code,
                sip_code=sip_code,
                sip_reason=sip_reason,
                sip_call_id=sip_call_id,
                custom_headers=custom_headers,
                now=now,
            )
        )

    def hold(self, call: CallId) -> Ticket:
        return self._ticket(lambda now: self.session.hold(call, now=now))

    def unhold(self, call: CallId) -> Ticket:
        return self._ticket(lambda now: self.session.unhold(call, now=now))

    def toggle_hold(self, call: CallId) -> Ticket:
        return self._ticket(lambda now: self.session.toggle_hold(call, now=now))

    def dtmf(
        self,
        call: CallId,
        digits: str,
        via: DigitsVia = "info",
        *,
        duration: float | None = None,
        gap: float | None = None,
        volume: int | None = None,
    ) -> Ticket:
        return self._ticket(
            lambda now: self.session.dtmf(call, digits, via, duration=duration, gap=gap, volume=volume, now=now)
        )

    def message(self, call: CallId, to: str, body: str) -> Ticket:
        return self._ticket(lambda now: self.session.message(call, to, body, now=now))

    def set_muted(self, call: CallId, muted: bool) -> None:
        self._ask(lambda now: self.session.set_muted(call, muted, now=now))

    def set_deaf(self, call: CallId, deaf: bool) -> None:
        self._ask(lambda now: self.session.set_deaf(call, deaf, now=now))

    def set_source(self, call: CallId, source: str | None) -> Ticket:
        return self._ticket(lambda now: self.session.set_source(call, source, now=now))

    def set_max_bit_rate(self, call: CallId, bits_per_second: int | None) -> None:
        self._ask(lambda now: self.session.set_max_bit_rate(call, bits_per_second, now=now))

    def restart_media(self, call: CallId) -> Ticket:
        return self._ticket(lambda now: self.session.restart_media(call, now=now))

    def resume_media(self, call: CallId) -> bool:
        return self._ask(lambda now: self.session.resume_media(call, now=now))

    def reject_media(self, call: CallId) -> bool:
        return self._ask(lambda now: self.session.reject_media(call, now=now))

    def flush_report(self, call: CallId) -> None:
        self._ask(lambda now: self.session.flush_report(call, now=now))

    def send_conversation_message(self, call: CallId, text: str, image_urls: tuple[str, ...] = ()) -> Ticket:
        return self._ticket(lambda now: self.session.send_conversation_message(call, text, image_urls, now=now))

    def send_ai_item(self, item: JsonView) -> None:
        self._ask(lambda now: self.session.send_ai_item(item, now=now))
