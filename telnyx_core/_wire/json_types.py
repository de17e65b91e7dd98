"""What JSON can say, as types. Everything past `telnyx_core._wire.codec` is one of these or a class of our own."""

from collections.abc import Mapping
from typing import TypeAlias

Json: TypeAlias = "None | bool | int | float | str | list[Json] | dict[str, Json]"
JsonObject: TypeAlias = dict[str, "Json"]
JsonView: TypeAlias = Mapping[str, "Json"]
"""A JSON object that its receiver must not change; used where the application gets a server's own members."""
