"""Is the way from this machine to a call open, and good enough? Step by step, with reasons (quality.md section 8)."""

from telnyx_drivers.diagnose.report import Plan, Report
from telnyx_drivers.diagnose.run import diagnose

__all__ = ["Plan", "Report", "diagnose"]
