"""Quantities of experiments whose right values are known."""

import numpy as np
import pytest

from evorrn.base.errors import ConfigError
from evorrn.diagnostics.decay import GradientDecay
from evorrn.diagnostics.density import ActivityDensity
from evorrn.diagnostics.maps import HenonExponents
from evorrn.diagnostics.quantities import QUANTITIES


@pytest.mark.parametrize("seed", [0, 7])
def test_the_exponents_of_the_henon_map_add_up_to_the_logarithm_of_its_determinant(seed):
    both = [
        HenonExponents(which=name, starts=4, steps=300).compute(seed)
        for name in ("largest", "smallest", "sum")
    ]
    assert both[2] == pytest.approx(np.log(0.3), abs=1e-12)
    assert both[0] + both[1] == pytest.approx(both[2]) and 0.3 < both[0] < 0.55


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("activation", "mean", "deviation"), [("tanh", 0.0, 0.2), ("tanh", 0.0, 0.5), ("sigmoid", 0.2, 0.3)]
)
def test_intrinsic_plasticity_makes_the_density_that_it_aims_at(activation, mean, deviation):
    low = -1.0 if activation == "tanh" else 0.0
    grid = np.linspace(low, 1, 2001)
    density = (
        np.exp(-((grid - mean) ** 2) / 2 / deviation**2) if activation == "tanh" else np.exp(-grid / mean)
    )
    middle = np.average(grid, weights=density)
    spread = np.sqrt(np.average((grid - middle) ** 2, weights=density))
    found = {
        of: ActivityDensity(of=of, activation=activation, mean=mean, deviation=deviation).compute(1)
        for of in ("mean", "deviation", "divergence")
    }
    assert abs(found["mean"] - middle) < 0.03
    assert found["deviation"] == pytest.approx(spread, rel=0.12)
    without = ActivityDensity(activation=activation, mean=mean, deviation=deviation, adapted=False)
    assert found["divergence"] < 0.3 * without.compute(1)


def test_a_density_without_the_rule_is_that_of_a_reservoir_and_a_histogram_of_the_density_has_no_divergence():
    quantity = ActivityDensity(steps=200, units=3, epochs=1)
    normal = np.random.default_rng(0).normal(0.0, 0.3, (200_000, 1))
    assert quantity._divergence(normal[np.abs(normal[:, 0]) < 1]) < 1e-3
    assert quantity.compute(0) != ActivityDensity(steps=200, units=3, adapted=False).compute(0)
    assert {"henon-exponents", "activity-density"} <= set(QUANTITIES)


def test_gradients_of_a_tanh_network_vanish_and_narx_divides_their_slope_by_its_delays():
    """An orthogonal matrix alone would keep the gradient; tanh makes it vanish."""
    assert GradientDecay(cell="elman", units=8, steps=40).compute(3) < -0.05
    once, fourth = (
        np.mean([GradientDecay(cell="narx", gain=0.8, delays=delays).compute(seed) for seed in range(3)])
        for delays in (1, 4)
    )
    assert once < np.log(0.8)  # which is the slope where tanh is linear
    assert fourth == pytest.approx(once / 4, rel=0.25)


@pytest.mark.thorough
@pytest.mark.parametrize("bias", [0.0, 1.0, 6.0])
def test_what_stays_of_the_gradient_in_a_memory_is_what_its_forget_gate_keeps(bias):
    kept = np.log(1 / (1 + np.exp(-bias)))
    assert GradientDecay(cell="lstm", forget_bias=bias).compute(0) == pytest.approx(kept, abs=0.05)
    assert abs(GradientDecay(cell="lstm-1997").compute(0)) < 0.02


def test_a_decay_needs_lags():
    with pytest.raises(ConfigError, match="skipped: expected at most 8, two less than the time steps, got 9"):
        GradientDecay(steps=10, skipped=9)
