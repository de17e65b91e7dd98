"""Drivers: they give the sans-IO core its sockets, its media and its time.

Import `telnyx_drivers.asyncio` or `telnyx_drivers.trio` to choose the event loop, or `telnyx_drivers.sync` for none.
"""
