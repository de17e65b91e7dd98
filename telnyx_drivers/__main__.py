"""``python -m telnyx_drivers`` is ``telnyx-rtc``."""

from telnyx_drivers._tools.cli import main

main()
