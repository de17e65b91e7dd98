"""What tests of an application's own sources need."""

from tests.drivers.conftest import faults

__all__ = ["faults"]
