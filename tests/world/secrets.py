"""Planted secrets, and the watch that they appear where they must and nowhere else."""

import json

from telnyx_core.actions import Action, Notify, OpenPeer, Remember, SendText, Settle
from telnyx_core.options import ClientOptions, IceServer

PASSWORD = "pw-Planted-1"
TURN_USER = "turn-user-Planted-2"
TURN_PASSWORD = "turn-pw-Planted-3"
SECRETS = (PASSWORD, TURN_USER, TURN_PASSWORD)

TURN = IceServer("turn:turn.test:3478", TURN_USER, TURN_PASSWORD)
ALICE = ClientOptions(login="alice", password=PASSWORD, env="wss://gateway.test", ice_servers=(TURN,))


def secrets_never_leave(action: Action) -> None:
    """A password goes into login frames, TURN credentials into a peer's configuration; nothing shows in a repr."""
    shown = repr(action)
    assert not any(secret in shown for secret in SECRETS), f"a secret in the repr of {type(action).__name__}"
    match action:
        case SendText(text=text):
            login = not text.startswith("#SP") and json.loads(text).get("method") in ("login", "anonymous_login")
            leaked = [secret for secret in SECRETS if secret in text and not (login and secret == PASSWORD)]
            assert not leaked, f"a secret in a frame: {text[:80]}"
        case Remember(values):
            assert not any(secret in json.dumps(values) for secret in SECRETS), "a secret is to be stored"
        case Settle() | Notify() | OpenPeer():
            pass  # Their reprs were looked at; a peer's configuration holds what it needs.
        case _:
            pass
