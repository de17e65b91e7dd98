"""Handles: small names that the core mints and the driver only echoes.

A handle says which socket, peer or call a fact or an action speaks of. It is never reused, so late news about a
released one is recognised and ignored on both sides.
"""

from typing import NewType

SocketId = NewType("SocketId", int)
"""One WebSocket connection: the *generation*, counted from 1 for the life of a session."""

MediaId = NewType("MediaId", int)
"""One peer connection. A re-attach or a renewed media path gets a new one."""

CallId = NewType("CallId", str)
"""The wire's ``callID``: a lower-case UUID, or the application's or server's own string."""

UploadId = NewType("UploadId", int)
"""A part of a call's report that is being written, or one attempt to post it."""

TokenRequest = NewType("TokenRequest", int)
"""One request to the application for a login token."""

Ticket = NewType("Ticket", int)
"""A receipt for a command whose outcome comes later, in exactly one `Settle` action."""
