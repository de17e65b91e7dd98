"""How good a call is: arithmetic on counters, warnings, frames and reports (quality.md). As pure as the rest."""
