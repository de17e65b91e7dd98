"""``python -m telnyx_drivers`` is ``telnyx-rtc``."""

from telnyx_drivers.cli import main

main()
