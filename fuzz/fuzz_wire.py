"""No text makes the wire codec raise, and what it reads it can write again.

python fuzz/fuzz_wire.py -dict=fuzz/json.dict -max_total_time=600 fuzz/corpus
"""

import sys

import atheris

with atheris.instrument_imports(include=["telnyx_core"]):
    from telnyx_core._signalling import messages
    from telnyx_core._wire.codec import Garbage, Plain, Reply, Request, decode, encode
    from telnyx_core.events import Cause


def one_input(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    frame = decode(text)
    match frame:
        case Request(params=params):
            messages.offered(params)
            messages.bye_cause(params, Cause("NORMAL_CLEARING", 16))
            messages.gateway_report(params)
        case Reply(result=result):
            messages.gateway_report(result)
        case Plain() | Garbage():
            return
    again = decode(encode(frame.frame))
    assert type(again) is type(frame), (text, again)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
