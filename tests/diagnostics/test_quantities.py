"""Quantities of random networks against loops in NumPy."""

import numpy as np
import pytest

from evorrn.diagnostics.quantities import CycleMemory, LargestExponent


@pytest.mark.parametrize("gain", [0.6, 1.5, 3.0])
def test_the_exponent_of_a_random_network_is_that_of_the_map_before_tanh(gain):
    """The map x+ = J tanh x and its Jacobian, J diag(1 - tanh² x), written out.

    Where it is chaotic, rounding leads to other states within 100 steps, so that only averages agree.
    """
    quantity = LargestExponent(units=30, gain=gain, steps=1500)
    rng = np.random.default_rng(4)
    matrix = gain / np.sqrt(30) * rng.normal(size=(30, 30))
    x = matrix @ np.tanh(rng.normal(size=30))
    direction, total = np.random.default_rng(0).normal(size=30), 0.0
    for step in range(2000):
        direction = matrix @ ((1 - np.tanh(x) ** 2) * direction)
        x = matrix @ np.tanh(x)
        length = np.linalg.norm(direction)
        direction /= length
        total += np.log(length) * (step >= 500)
    assert quantity.compute(4) == pytest.approx(total / 1500, abs=4e-3 if gain < 1 else 0.02)


def test_the_memory_of_a_cycle_is_its_closed_form():
    quantity = CycleMemory(units=10, radius=0.9, delays=120, steps=5000)
    assert quantity.compute(0) == pytest.approx(9 + 0.9**20, abs=0.01)
    assert quantity.settings() == {"units": 10, "radius": 0.9, "delays": 120, "steps": 5000}


@pytest.mark.thorough
@pytest.mark.parametrize("gain,low,high", [(0.9, -0.11, -0.04), (1.5, 0.046, 0.065), (2.0, 0.143, 0.149)])
def test_random_networks_of_200_units_change_to_chaos(gain, low, high):
    """The median of seven draws is within the range of three draws that were computed apart."""
    exponents = [LargestExponent(gain=gain).compute(seed) for seed in range(7)]
    assert low - 0.005 <= np.median(exponents) <= high + 0.005
