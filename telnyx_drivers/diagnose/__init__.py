"""A diagnosis of the path from this machine to a call: is it open, and good enough? (quality.md section 8)."""

from telnyx_drivers.diagnose.report import Plan, Report
from telnyx_drivers.diagnose.run import diagnose

__all__ = ["Plan", "Report", "diagnose"]
