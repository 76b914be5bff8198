"""The network in continuous time, solved by a method of choice."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from evorrn.compile.cell import cell
from evorrn.compile.equations import Fixed
from evorrn.compile.library import euler, exponential_euler, rk4
from evorrn.kernels.activations import exp, sigmoid


def exponential(rate, v, tau, dt):
    """Return v after a step of ``tau dv/dt = rate(v) - v`` by the exponential form of Euler's method."""
    return exponential_euler(rate, v, tau, dt)


def too_fast(options: Mapping[str, Any]) -> str | None:
    """Return what is wrong with time constants below the step of Euler's method, or None."""
    dt, least = options["dt"], float(np.min(options["tau"]))
    if options["method"] != "euler" or least >= dt:
        return None
    return f"method euler: expected time constants tau of at least dt = {dt:g}, got {least:g}; exponential takes any"


@cell(
    state={"r": "H", "v": "H"},
    parameters={"W_x": "H I", "W": "H H", "theta log_tau": "H"},
    fixed={"tau": Fixed("H", default=1.0)},
    choices={"method": (euler, exponential, rk4)},
    ranges={"tau": (1e-6, 1e9), "dt": (1e-9, 1e9), "learned": (0, 1)},
    conflict=too_fast,
)
def ctrnn(p, x, r, v, *, dt=1.0, learned=1.0, method=exponential, activation=sigmoid):
    """Continuous-time network: ``tau dv/dt = -v + W f(v + theta) + W_x x``, with output ``f(v + theta)``.

    Source: Beer 1995, "On the dynamics of small continuous-time recurrent neural networks", equation 1, with
    weights for the inputs. A time step lasts `dt`, over which the input is constant. `method` is "euler",
    "exponential", which takes W f(v + theta) as constant over the step and is stable whatever its length, or
    "rk4", which costs four times as much. The time constant of a unit is ``tau exp(learned * log_tau)``:
    `tau` is a number, or one for each unit, and `log_tau` is trained and starts at 0; with ``learned=0`` it
    has no effect. Euler's method takes no `tau` below dt; it is unstable for time constants below dt/2, which training may
    reach.

    With Euler's method the gradient of `evorrn.BPTT`, for weights and time constants, is the continuous-time gradient of
    Pearlmutter 1989, "Learning state space trajectories in recurrent neural networks", equations 10 and 11, at the same time
    steps; other methods have the exact gradient of their own steps.
    """
    tau = p.tau * exp(learned * p.log_tau)

    def rate(u):
        return p.W @ activation(u + p.theta) + p.W_x @ x

    v = method(rate, v, tau, dt)
    return activation(v + p.theta), v
