"""Lyapunov exponents of a map that are known, as a quantity of an experiment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from evorrn.base.settings import setting
from evorrn.compile.cell import cell
from evorrn.diagnostics.lyapunov import lyapunov_spectrum
from evorrn.diagnostics.quantity import Quantity
from evorrn.network.network import Network


@cell(name="henon", state={"u": "H", "v": "H"}, parameters={})
def henon(p: Any, x: Any, u: Any, v: Any, *, a: float = 1.4, b: float = 0.3) -> Any:
    """The Hénon map, whose input is not used."""
    return 1 - a * u * u + v, b * u


@dataclass(frozen=True)
class HenonExponents(Quantity):
    """Lyapunov exponents of the Hénon map with a = 1.4 and b = 0.3: their sum is exactly the logarithm of 0.3.

    Source: Hénon 1976, "A two-dimensional mapping with a strange attractor".
    """

    title = "Lyapunov exponents per time step"

    which: str = setting(
        "sum", "The largest exponent, the smallest, or the sum.", choices=("largest", "smallest", "sum")
    )
    starts: int = setting(64, "Starts that are averaged.", minimum=1)
    steps: int = setting(1500, "Time steps of each, of which the first 100 are not averaged.", minimum=200)

    def compute(self, seed: int) -> float:
        """Return the exponent, or the sum, of starts that a seed draws."""
        network = Network(1, 1, cell=henon, hidden=1, dtype="float64")
        state = np.random.default_rng(seed).uniform(-0.1, 0.1, (self.starts, 2))
        x = np.zeros((self.starts, self.steps, 1))
        found = lyapunov_spectrum(network, np.zeros(network.size), x, state=state, washout=100)
        return float({"largest": found[0], "smallest": found[1], "sum": found.sum()}[self.which])
