"""Sine and cosine of the kernels against mpmath, for angles of all magnitudes, infinity and NaN."""

import mpmath
import numba
import numpy as np
import pytest

from evorrn.kernels import machine
from evorrn.kernels.trigonometry import cos, sin

if not machine.compiling():
    pytest.skip("accuracy is that of compiled code", allow_module_level=True)


@numba.njit
def every(x, sine, cosine):
    for k in range(x.shape[0]):
        sine[k], cosine[k] = sin(x[k]), cos(x[k])


def both(x):
    sine, cosine = np.empty_like(x), np.empty_like(x)
    every(x, sine, cosine)
    return sine, cosine


def arguments(dtype, largest):
    """Return angles of all magnitudes, and the neighbours of multiples of a quarter turn."""
    rng = np.random.default_rng(0)
    spread = 10 ** rng.uniform(-8, np.log10(largest), 400) * rng.choice([-1.0, 1.0], 400)
    turns = (rng.integers(0, int(largest / 1.6), 300) * np.pi / 2).astype(dtype)
    near = [turns, np.nextafter(turns, dtype(np.inf)), np.nextafter(turns, dtype(-np.inf))]
    return np.concatenate([spread.astype(dtype), rng.uniform(-4, 4, 400).astype(dtype), *near, [dtype(0)]])


@pytest.mark.parametrize(("dtype", "largest"), [(np.float64, 1e6), (np.float32, 1e4)])
def test_within_two_units_in_the_last_place(dtype, largest):
    x = arguments(dtype, largest)
    for got, exact in zip(both(x), (mpmath.sin, mpmath.cos)):
        with mpmath.workdps(50):
            truth = [exact(mpmath.mpf(float(value))) for value in x]
            wrong = [abs(mpmath.mpf(float(a)) - b) for a, b in zip(got, truth)]
        unit = np.spacing(np.abs(np.array(truth, dtype=np.float64)).astype(dtype)).astype(np.float64)
        assert (np.array(wrong, dtype=np.float64) <= 2 * unit).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_huge_angles_stay_bounded_and_nan_stays_nan(dtype):
    huge = np.array([1e7, -3e9, 1e17, -1e30, 3e38], dtype)
    none = np.array([np.nan, np.inf, -np.inf], dtype)
    for values in both(huge):
        assert (np.abs(values) <= 1).all()
    for values in both(none):
        assert np.isnan(values).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sine_is_odd_and_cosine_even(dtype):
    x = np.array([0.0, 1e-30, 0.3, 2.0, 9.0], dtype)
    (up, same), (down, again) = both(x), both(-x)
    assert np.array_equal(up, -down)
    assert np.array_equal(same, again)


def test_whole_numbers_and_plain_python():
    assert numba.njit(lambda k: sin(k) + cos(k))(3) == pytest.approx(np.sin(3.0) + np.cos(3.0), abs=1e-15)
    assert sin(0.5) == np.sin(0.5)
