"""The two parties of a call and what each side says of it: ids, headers, client state, ``dialogParams``."""

from collections.abc import Mapping

from telnyx_core._signalling import messages as m
from telnyx_core._wire.codec import identifier
from telnyx_core._wire.json_types import JsonObject, JsonView
from telnyx_core.ids import CallId
from telnyx_core.options import CallOptions, ClientOptions, CustomHeader


class Parties:
    __slots__ = (
        "call",
        "call_control_id",
        "client_state",
        "extension",
        "headers",
        "leg_id",
        "options",
        "session_id",
        "variables",
    )

    def __init__(self, call: CallId, options: CallOptions) -> None:
        self.call = call
        self.options = options
        self.headers: tuple[CustomHeader, ...] = options.custom_headers
        self.client_state = options.client_state
        self.call_control_id = options.telnyx_call_control_id
        self.session_id = options.telnyx_session_id
        self.leg_id = options.telnyx_leg_id
        self.extension: str | None = None
        self.variables: Mapping[str, str] = {}

    def take_ids(self, params: JsonView) -> bool:
        """Non-empty telnyx ids replace the known ones (CALL-110); True when one changed."""
        if variables := m.variables(params):  # The newest of each; alone they cause no event (PS-023).
            merged = {**self.variables, **variables}
            self.variables = dict(list(merged.items())[-m.MAX_VARIABLES :])
        before = (self.call_control_id, self.session_id, self.leg_id)
        self.call_control_id = identifier(params, "telnyx_call_control_id") or self.call_control_id
        self.session_id = identifier(params, "telnyx_session_id") or self.session_id
        self.leg_id = identifier(params, "telnyx_leg_id") or self.leg_id
        return before != (self.call_control_id, self.session_id, self.leg_id)

    def take_offer(self, offer: m.Offered, params: JsonView) -> None:
        """Take what a re-attach says; members that it leaves out keep their values (CALL-531)."""
        self.take_ids(params)
        self.headers = offer.headers or self.headers
        self.client_state = offer.client_state or self.client_state

    def dialog(self, client: ClientOptions, *, attach: bool = False) -> m.Dialog:
        options = self.options
        return m.Dialog(
            id=self.call,
            options=options,
            headers=self.headers,
            client_state=self.client_state,
            call_control_id=self.call_control_id,
            session_id=self.session_id,
            leg_id=self.leg_id,
            user_variables=client.user_variables if options.user_variables is None else options.user_variables,
            trickle=client.trickle_ice if options.trickle_ice is None else options.trickle_ice,
            attach=attach,
        )

    def dialog_params(self, client: ClientOptions) -> JsonObject:
        return self.dialog(client).params()
