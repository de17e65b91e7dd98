"""The speed test: blocks up, the time they took, as many blocks down."""

from typing import Final

from telnyx_core.gateway.client_sockets import Lines
from telnyx_core.gateway.context import Context
from telnyx_core.gateway.records import ClientSocket, Upload

BLOCK: Final = "#SPB " + "." * 1024


class SpeedTest:
    def __init__(self, context: Context, lines: Lines) -> None:
        self._context = context
        self._lines = lines

    def heard(self, line: ClientSocket, text: str) -> None:
        if line.session is None:
            self._lines.close(line, 1008, "speed test before login")
            return
        match text[:4], line.upload:
            case "#SPU", _:
                line.upload = Upload(self._context.now)
            case "#SPB", Upload() as upload:
                if upload.blocks < self._context.options.limits.speed_test_blocks:
                    upload.blocks += 1
            case "#SPE", Upload() as upload:
                line.upload = None
                self._finish(line, upload)
            case _:
                pass

    def _finish(self, line: ClientSocket, upload: Upload) -> None:
        """The gateway cannot know when the blocks have arrived, so it reports the upload's time for them as well."""
        took = max(1, round((self._context.now - upload.begun) * 1000))
        self._lines.put(line, f"#SPU {took}")
        for _ in range(upload.blocks):
            self._lines.put(line, BLOCK)
        self._lines.put(line, f"#SPD {took}")
