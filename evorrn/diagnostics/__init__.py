"""Diagnostics: what a network does, evolved, solved or trained, with any cell."""

from evorrn.diagnostics.activity import activity
from evorrn.diagnostics.echo import echo_state_index
from evorrn.diagnostics.estimates import gradient_cosines
from evorrn.diagnostics.fixed_points import fixed_points
from evorrn.diagnostics.gradients import gradient_by_lag
from evorrn.diagnostics.lyapunov import lyapunov_spectrum
from evorrn.diagnostics.memory import memory_capacity, processing_capacity
from evorrn.diagnostics.spectral_radius import effective_spectral_radius
from evorrn.diagnostics.spectrum import power_spectra
from evorrn.diagnostics.states import principal_trajectories, state_space

__all__ = [
    "activity",
    "echo_state_index",
    "effective_spectral_radius",
    "fixed_points",
    "gradient_by_lag",
    "gradient_cosines",
    "lyapunov_spectrum",
    "memory_capacity",
    "power_spectra",
    "principal_trajectories",
    "processing_capacity",
    "state_space",
]
