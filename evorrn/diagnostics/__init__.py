"""Diagnostics: what a network does, evolved, solved or trained, with any cell."""

from evorrn.diagnostics.activity import activity
from evorrn.diagnostics.gradients import gradient_by_lag
from evorrn.diagnostics.lyapunov import lyapunov_spectrum

__all__ = ["activity", "gradient_by_lag", "lyapunov_spectrum"]
