"""Drivers: what gives the pure core sockets, media and time.

Importing `telnyx_drivers.asyncio` or `telnyx_drivers.trio` chooses the loop; `telnyx_drivers.sync` is for code without.
"""
