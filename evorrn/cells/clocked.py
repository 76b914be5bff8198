"""Networks whose parts change at periods of their own."""

import numpy as np

from evorrn.compile.cell import cell
from evorrn.compile.equations import Fixed
from evorrn.compile.ops import every
from evorrn.kernels.activations import tanh


def periods(sizes, options):
    """Return the period of each unit (H,): 1, 2, 4, ... for modules of equal size, as nearly as H allows."""
    modules, base, units = options["modules"], options["base"], sizes["H"]
    if modules % 1 or base % 1:
        raise ValueError(f"modules and base: expected whole numbers, got {modules:g} and {base:g}")
    return base ** (np.arange(units) * min(modules, units) // units)


def from_slower(sizes, options):
    """Return a mask (H, H): 1 where the unit of a column is as slow as that of the row or slower."""
    period = periods(sizes, options)
    return period[None, :] >= period[:, None]


@cell(
    state={"h": "H", "t": "1"},
    parameters={"W_x": "H I", "W_h": "H H", "b": "H"},
    fixed={"period": Fixed("H", periods), "mask": Fixed("H H", from_slower)},
    ranges={"modules": (1, 24), "base": (1, 1000)},
)
def clockwork(p, x, h, t, *, modules=4, base=2, activation=tanh):
    """Clockwork network: module k of the units changes only at multiples of its period base^k.

    Source: Koutník, Greff, Gomez and Schmidhuber 2014, "A clockwork RNN": a module sees itself and slower
    modules. The first time step has number 0, at which every module changes. `base` is a whole number. W_h is
    a whole matrix, of which the part from faster modules is not used.
    """
    new = activation(p.W_x @ x + (p.mask * p.W_h) @ h + p.b)
    moves = every(p.period, t)
    return moves * new + (1 - moves) * h, t + 1


def period_of_middle(sizes, options):
    """Return the period of the middle level, (1,)."""
    if options["period"] % 1:
        raise ValueError(f"period: expected a whole number, got {options['period']:g}")
    return np.array([options["period"]])


def period_of_high(sizes, options):
    """Return the period of the high level, (1,)."""
    return period_of_middle(sizes, options) ** 2


@cell(
    state={"low": "H", "middle": "H", "high": "H", "t": "1"},
    parameters={
        "W_x": "H I",
        "U_middle U_high": "H H",
        "W_low W_middle W_high": "H H",
        "V_low V_middle": "H H",
        "b_low b_middle b_high": "H",
    },
    initial={"U_middle U_high V_low V_middle": "glorot"},
    recurrent="W_low W_middle W_high V_low V_middle",
    fixed={"middle_period": Fixed("1", period_of_middle), "high_period": Fixed("1", period_of_high)},
    ranges={"period": (1, 1e4)},
    output="low middle high",
)
def hierarchical(p, x, low, middle, high, t, *, period=4, activation=tanh):
    """Hierarchical network: three levels of H units, of which the upper two change at periods of their own.

    Source: El Hihi and Bengio 1996, "Hierarchical recurrent neural networks for long-term dependencies", with
    three levels. Each level sees its own last state, the level below, and the last state of the level above.
    The middle level changes at multiples of `period`, a whole number, and the high one at multiples of its
    square; between its changes a level keeps its state. The first time step has number 0, at which every
    level changes. The readout sees all levels.
    """
    low = activation(p.W_x @ x + p.W_low @ low + p.V_low @ middle + p.b_low)
    new_middle = activation(p.U_middle @ low + p.W_middle @ middle + p.V_middle @ high + p.b_middle)
    moves = every(p.middle_period, t)
    middle = moves * new_middle + (1 - moves) * middle
    new_high = activation(p.U_high @ middle + p.W_high @ high + p.b_high)
    moves = every(p.high_period, t)
    high = moves * new_high + (1 - moves) * high
    return low, middle, high, t + 1
