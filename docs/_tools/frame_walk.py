"""How many files of the core one inbound ``answer`` passes through: ``python docs/_tools/frame_walk.py CHECKOUT``."""

import sys
from pathlib import Path
from types import FrameType


def main(root: Path) -> None:
    sys.path.insert(0, str(root))
    from telnyx_core.testing.rig import REMOTE_SDP, Rig  # the checkout's own

    rig = Rig.registered()
    call = rig.outbound("ringing")
    core = str(root / "telnyx_core")
    passed: set[str] = set()

    def note(frame: FrameType, event: str, argument: object) -> None:
        name = frame.f_code.co_filename
        if event == "call" and name.startswith(core) and "testing" not in name:
            passed.add(name)

    sys.setprofile(note)
    rig.request("answer", callID=call, sdp=REMOTE_SDP)
    sys.setprofile(None)
    print(len(passed))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
