"""Functions that numba first sees when one is needed."""

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest

import evorrn
from evorrn.engine.individuals.user_functions import fingerprint, inlined, interpreted, is_compiled
from evorrn.kernels.deferred import Compiled, Deferred, by_dtype, cached, compiled, part


@part
def twice(x):
    return 2 * x


@cached
def doubled_sum(values):
    total = 0.0
    for value in values:
        total += twice(value)
    return total


@compiled
def pushed(x):
    return doubled_of(x) + 1.0


@compiled
def doubled_of(x):
    return evorrn.tanh(x) * 2.0


def test_python_calls_the_function_and_compiled_code_what_numba_makes_of_it():
    values = np.random.default_rng(0).normal(size=7)
    assert twice(3) == 6 and twice(x="ab") == "abab"  # as it is: numba would refuse to add strings so
    assert doubled_sum(values) == pytest.approx(2 * values.sum(), rel=1e-14)
    assert numba.njit(lambda x: doubled_sum(x) + twice(1))(values) == doubled_sum(values) + 2
    assert is_compiled(doubled_sum.made) and not is_compiled(twice.made)
    assert twice.__name__ == "twice" and doubled_sum.__doc__ is None
    assert repr(evorrn.tanh) == "<function tanh of evorrn.kernels.activations>"


def test_threads_that_begin_together_make_one():
    count = []

    def make(function):
        count.append(1)
        return numba.njit(function)

    function = Compiled(lambda x: x + 1, make)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(function, range(40))) == list(range(1, 41))
    assert count == [1]


def test_they_are_pickled_by_name():
    for function in (twice, doubled_sum, evorrn.tanh, evorrn.relu):
        assert pickle.loads(pickle.dumps(function)) is function


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_compiled_code_takes_the_function_of_its_dtype(dtype):
    single, double = Deferred(lambda x: x + np.float32(1), part), Deferred(lambda x: x + 2.0, part)
    chosen = by_dtype(single, double, lambda x: x + 5)(lambda x: abs(x))
    add = numba.njit(lambda x: chosen(x))
    assert add(dtype(3)) == (4 if dtype is np.float32 else 5) and add(3) == 8
    assert chosen(-3) == 3


def test_environments_may_be_made_of_them():
    """Their functions are compiled again from bytecode, with all that they call."""
    x = np.linspace(-2, 2, 9)
    expected = 2 * np.tanh(x) + 1
    assert is_compiled(pushed) and not is_compiled(twice) and not is_compiled(evorrn.tanh)
    again = inlined(pushed)  # only compiled code can call it
    for made in (numba.njit(lambda x: again(x)), interpreted(pushed), pushed):
        np.testing.assert_allclose([made(value) for value in x], expected, rtol=1e-14)
    assert fingerprint(pushed) == fingerprint(pushed.made) != fingerprint(doubled_of)


def test_an_activation_is_known_to_a_function_of_the_user_that_is_compiled_first():
    code = (
        "import numba, evorrn\n"
        "f = numba.njit(lambda x: evorrn.softplus(x) + evorrn.relu(x))\n"
        "print(round(f(1.0), 6), round(float(evorrn.softplus(1.0)) + 1, 6))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=200)
    one, other = done.stdout.split()
    assert one == other and done.returncode == 0
