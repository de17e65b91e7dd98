"""Whatever texts come, a session that writes itself down does as one that does not: journal whole, replay the same.

    python fuzz/fuzz_recorded.py -dict=fuzz/json.dict -max_total_time=600 fuzz/corpus

The input is read as by `fuzz_session.py`.
"""

import sys
import tempfile
from copy import deepcopy
from functools import cache
from pathlib import Path

import atheris

# What the session does with a text is for `fuzz_session.py`; without its share of the tracing there are more runs.
TRACED = ["telnyx_core._wire", "telnyx_core.journal", "telnyx_drivers._services.journal"]
with atheris.instrument_imports(include=TRACED):
    from telnyx_core.facts import TextReceived
    from telnyx_core.journal.recorded_session import Replay
    from telnyx_core.testing.rig import Rig
    from telnyx_drivers._services.journal import Journal, RecordedSession

SECRET = "do-not-tell"  # planted, to be looked for
MOST = 50
PATH = Path(tempfile.mkdtemp()) / "journal"


@cache
def beginning() -> tuple[Rig, Journal, str]:
    """With two live calls, as every input begins: a copy of it costs a third of what making it costs."""
    rig = Rig(login="user", password=SECRET)
    journal = Journal(PATH)
    rig.session = RecordedSession(rig.session.options, journal=journal)
    rig.ready()
    rig.outbound()
    rig.inbound("active")
    journal.close()
    return rig, journal, PATH.read_text()


def one_input(data: bytes) -> None:
    rig, journal, begun = deepcopy(beginning())
    PATH.write_text(begun)
    for line in data.split(b"\n")[:MOST]:
        if line[:1].isdigit():
            rig.advance(5.0 * int(line[:1]))
        if not rig.session.connected:
            break
        if not line[:1].isdigit():
            rig.tell(TextReceived(rig.socket, line.decode("utf-8", "surrogateescape")))
    journal.close()
    assert journal.failed is None, journal.failed
    text = PATH.read_text()
    assert SECRET not in text or SECRET.encode() in data.replace(b"\\", b"")
    Replay.from_lines(text.splitlines()).check()


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
