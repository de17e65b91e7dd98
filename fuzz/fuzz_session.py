"""No texts, in any order and at any time, make a session past its login raise, leak a handle or say a secret.

    python fuzz/fuzz_session.py -dict=fuzz/json.dict -max_total_time=600 fuzz/corpus

Each line of the input is a text; one that begins with a digit is a pause of so many times five seconds. Two calls are
live when it begins, because a fuzzer never finds its own way through a login.
"""

import sys

import atheris

with atheris.instrument_imports(include=["telnyx_core"]):
    from telnyx_core.facts import TextReceived
    from telnyx_core.testing.rig import Rig

SECRET = "do-not-tell"  # planted, to be looked for
MOST = 50


def one_input(data: bytes) -> None:
    rig = Rig.registered(login="user", password=SECRET)
    rig.outbound()
    rig.inbound("active")
    rig.clear()
    for line in data.split(b"\n")[:MOST]:
        if line[:1].isdigit():
            rig.advance(5.0 * int(line[:1]))
        if not rig.session.connected:
            break  # nobody answered its probes: the socket is given up, and with it the far end's words
        if not line[:1].isdigit():
            text = line.decode("utf-8", "surrogateescape")
            rig.tell(TextReceived(rig.socket, text))  # the rig's ledger watches over every handle
    for frame in rig.sent:
        assert frame.get("method") == "login" or SECRET not in repr(frame)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
