"""Vectorising activations against mpmath, over the whole range and at its ends."""

import mpmath
import numpy as np
import pytest
from numba import njit

from evorrn.kernels import activations
from evorrn.kernels.activations import ELU_ALPHA, LEAKY_SLOPE, SELU_ALPHA, SELU_SCALE

mpmath.mp.dps = 40
EXACT = {
    "tanh": mpmath.tanh,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "exp": mpmath.exp,
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "relu": lambda x: max(x, mpmath.mpf(0)),
    "leaky_relu": lambda x: x if x > 0 else mpmath.mpf(LEAKY_SLOPE) * x,
    "elu": lambda x: x if x > 0 else ELU_ALPHA * mpmath.expm1(x),
    "selu": lambda x: mpmath.mpf(SELU_SCALE) * (x if x > 0 else mpmath.mpf(SELU_ALPHA) * mpmath.expm1(x)),
    "swish": lambda x: x / (1 + mpmath.exp(-x)),
}
LIMITS = {
    "tanh": (-1, 1),
    "sigmoid": (0, 1),
    "exp": (0, np.inf),
    "softplus": (0, np.inf),
    "relu": (0, np.inf),
    "leaky_relu": (-np.inf, np.inf),
    "elu": (-1, np.inf),
    "selu": (-SELU_SCALE * SELU_ALPHA, np.inf),
    "swish": (0, np.inf),
}


def compiled(name):
    function = getattr(activations, name)

    @njit(error_model="numpy", fastmath={"contract"})
    def run(x):
        y = np.empty_like(x)
        for k in range(x.size):
            y[k] = function(x[k])
        return y

    return run


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", sorted(EXACT))
def test_error_is_a_few_units_in_the_last_place(name, dtype):
    rng = np.random.default_rng(0)
    wide = 87.0 if dtype is np.float32 else 700.0
    small = 10.0 ** rng.uniform(-30, 0, 150)
    parts = [
        rng.uniform(-9, 9, 500),
        rng.uniform(-wide, wide, 300),
        small,
        -small,
        [0.0, 8.0, -8.0, 8.66, 9.1, 20.0],
    ]
    x = np.concatenate(parts).astype(dtype)
    y = compiled(name)(x)
    for value, got in zip(x, y):
        exact = EXACT[name](mpmath.mpf(float(value)))
        if abs(exact) < float(np.finfo(dtype).tiny) * 4:  # below the normal numbers: may be flushed
            assert abs(float(got)) < float(np.finfo(dtype).tiny) * 8
            continue
        unit = mpmath.mpf(float(np.spacing(dtype(abs(float(exact))))))
        assert abs(mpmath.mpf(float(got)) - exact) <= 6 * unit, (name, value, got, exact)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", sorted(EXACT))
def test_infinities_and_nan(name, dtype):
    low, high, nan = compiled(name)(np.array([-np.inf, np.inf, np.nan], dtype))
    assert low == pytest.approx(LIMITS[name][0], rel=1e-6) and high == LIMITS[name][1]
    assert np.isnan(nan)


@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
def test_bounded_activations_stay_within_their_bounds(name):
    x = np.linspace(-30, 30, 200_001).astype(np.float32)
    y = compiled(name)(x)
    assert y.max() <= 1.0 and y.min() >= (-1.0 if name == "tanh" else 0.0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["exp", "sigmoid", "swish"])
def test_inputs_near_the_overflow_of_the_exponential(name, dtype):
    end = np.log(float(np.finfo(dtype).max))
    x = (np.concatenate([np.linspace(-1.5, 3, 4001) + end, [2 * end]]) * (1 if name == "exp" else -1)).astype(
        dtype
    )
    y = compiled(name)(x).astype(float)
    assert not np.isnan(y).any()
    if name == "exp":
        inside = x.astype(float) < end
        exact = [float(mpmath.exp(mpmath.mpf(float(value)))) for value in x[inside]]
        np.testing.assert_allclose(y[inside], exact, rtol=6 * float(np.finfo(dtype).eps))
        assert np.isinf(y[x.astype(float) > end + 1e-4]).all()
    else:
        assert np.abs(y).max() < 1e4 * float(np.finfo(dtype).tiny)
