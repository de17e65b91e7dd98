"""Drivers: what gives the pure core sockets, media and time. Importing `telnyx_drivers.asyncio` or `.trio` chooses the loop."""
