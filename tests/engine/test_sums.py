"""Sums of products of arrays and softmax as kernels, against NumPy in float64, as vector code and as plain loops."""

import numpy as np
import pytest
from rows import run_row

from evorrn import Batch, Network, cell, einsum, outer, sigmoid, tanh
from evorrn.engine.listing.kernel import FIXED, Kernel
from evorrn.engine.listing.listing import Place
from evorrn.engine.listing.sums import SUMS, Factor, Product, Sum, Within, cut_of_sum, operands_of_row
from evorrn.engine.listing.wholes import SOFTMAX, SOFTMAX_SLOPE
from evorrn.kernels import machine


def plain(kernel, home, name):
    """Return a kernel as plain loops, which serve where vectors are switched off."""
    return Kernel(
        f"plain_{kernel.name}",
        FIXED.format(name=kernel.name, imports="", more="", home="arrays")
        .replace(
            f"evorrn.engine.listing.arrays import {kernel.name}", f"evorrn.engine.lanes.{home} import {name}"
        )
        .replace(f"{kernel.name}(row, at, now, F)", f"{name}(F, row, at)"),
    )


PLAIN = {
    SUMS: plain(SUMS, "sums", "plain_sum_at"),
    SOFTMAX: plain(SOFTMAX, "softmax", "plain_softmax_at"),
    SOFTMAX_SLOPE: plain(SOFTMAX_SLOPE, "softmax", "plain_softmax_slope_at"),
}
NUMBER = -2
"""The node of the number that products within products are added to."""

KINDS = [(), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)]
"""The axes of the result that a factor may have."""


def drawn_sum(draws):
    """Return a sum of products with drawn factors, the sizes of its nodes, and the base's kind."""
    result = [int(n) for n in draws.choice([1, 2, 3, 4, 5, 16, 21], 3)]
    sizes, products = {0: result}, []

    def factor():
        axes = KINDS[draws.integers(len(KINDS))]
        sizes[len(sizes)] = [result[axis] for axis in axes] or [1]
        return Factor(len(sizes) - 1, axes)

    def outer():
        axes = [*KINDS[draws.integers(len(KINDS))], -1]
        rest = [axis for axis in range(3) if axis not in axes]
        factors = []
        for own in (axes, rest):
            sizes[len(sizes)] = [result[axis] if axis >= 0 else 1 for axis in own] or [1]
            factors.append(Factor(len(sizes) - 1, tuple(own)))
        return Within(NUMBER, bool(draws.integers(2)), *factors)

    for _ in range(draws.integers(1, 4)):
        right = outer() if draws.random() < 0.3 else factor()
        products.append(Product(bool(draws.integers(2)), factor(), right))
    base = factor() if draws.random() < 0.6 else None
    return Sum(0, base, bool(draws.integers(2)), tuple(products), frozenset({0})), sizes


def value_of(factor, arrays, result, lanes):
    """Return a factor in the shape of the result, with lanes."""
    if isinstance(factor, Within):
        left, right = (value_of(f, arrays, result, lanes) for f in factor[2:])
        return arrays["number"].astype(float) + (-1 if factor.negative else 1) * left * right
    shape = [n if axis in factor.axes else 1 for axis, n in enumerate(result)]
    return np.broadcast_to(arrays[f"n{factor.node}"].astype(float).reshape(*shape, lanes), (*result, lanes))


@pytest.mark.parametrize("loops", [False, True], ids=["vectors", "plain"])
@pytest.mark.parametrize("dtype,error", [("float32", 2e-6), ("float64", 1e-14)])
def test_a_sum_of_products_equals_numpy(dtype, error, loops):
    draws = np.random.default_rng(0)
    for round in range(60):
        made, sizes = drawn_sum(draws)
        lanes = int(draws.integers(1, 4)) * machine.lanes(dtype)
        arrays = {
            f"n{node}": draws.standard_normal((int(np.prod(shape)), lanes)).astype(dtype)
            for node, shape in sizes.items()
        }
        arrays |= {"number": np.array([0.7], dtype)}
        number = made.base is None
        base = Place("number" if number else f"n{made.base.node}")
        about = Place("n0"), base, number, lanes

        wanted = arrays["number"].astype(float) if number else value_of(made.base, arrays, sizes[0], lanes)
        wanted = -wanted if made.negative else wanted
        for product in made.products:
            left, right = (value_of(f, arrays, sizes[0], lanes) for f in product[1:])
            wanted = wanted + (-1 if product.negative else 1) * left * right
        arrays["n0"][...] = np.nan
        kernel = PLAIN[SUMS] if loops else SUMS

        def place(node):
            return Place("number" if node == NUMBER else f"n{node}")

        run_row(
            kernel,
            operands_of_row(made, sizes[0], sizes, place, about),
            arrays,
            dtype,
        )
        result = arrays["n0"].reshape(*sizes[0], lanes)
        np.testing.assert_allclose(
            result, wanted + np.zeros_like(result), rtol=error, atol=20 * error, err_msg=str(round)
        )


@pytest.mark.parametrize("loops", [False, True], ids=["vectors", "plain"])
@pytest.mark.parametrize("dtype,error", [("float32", 1e-6), ("float64", 1e-14)])
def test_softmax_and_its_slope_equal_numpy(dtype, error, loops):
    draws = np.random.default_rng(1)
    for groups, rows, vectors in ((1, 1, 1), (3, 5, 2), (2, 33, 3)):
        lanes = vectors * machine.lanes(dtype)
        shape = groups * rows, lanes
        x = (draws.standard_normal(shape) * 30).astype(dtype)
        x[0, 0], x[-1, 1] = -np.inf if rows > 1 else 0, 1e4
        grouped = x.astype(float).reshape(groups, rows, lanes)
        high = np.exp(grouped - grouped.max(axis=1, keepdims=True))
        wanted = high / high.sum(axis=1, keepdims=True)
        arrays = {"y": np.full(shape, np.nan, dtype), "x": x}
        about = groups, rows, lanes
        run_row(PLAIN[SOFTMAX] if loops else SOFTMAX, (Place("y"), Place("x"), *about), arrays, dtype)
        np.testing.assert_allclose(arrays["y"].reshape(wanted.shape), wanted, rtol=20 * error, atol=error)
        g = draws.standard_normal(shape).astype(dtype)
        arrays |= {"g": g, "d": np.full(shape, np.nan, dtype)}
        kernel = PLAIN[SOFTMAX_SLOPE] if loops else SOFTMAX_SLOPE
        run_row(kernel, (Place("d"), Place("y"), Place("g"), *about), arrays, dtype)
        along = (wanted * g.reshape(wanted.shape)).sum(axis=1, keepdims=True)
        slope = wanted * (g.reshape(wanted.shape) - along)
        np.testing.assert_allclose(arrays["d"].reshape(wanted.shape), slope, atol=20 * error)


def test_no_number_stays_no_number_in_softmax():
    lanes = machine.lanes("float32")
    x = np.zeros((4, lanes), np.float32)
    x[2, 1] = np.nan
    arrays = {"y": np.empty_like(x), "x": x}
    run_row(SOFTMAX, (Place("y"), Place("x"), 1, 4, lanes), arrays, "float32")
    assert np.isnan(arrays["y"][:, 1]).all() and np.isfinite(np.delete(arrays["y"], 1, axis=1)).all()


def test_an_array_that_is_read_in_two_ways_is_not_divided_into_strips():
    both = Product(False, Factor(1, (0, 1)), Factor(1, (1, 0)))
    assert cut_of_sum(Sum(0, None, False, (both,), frozenset({0})), {0: [4, 4], 1: [4, 4]}) is None
    rows = Product(False, Factor(1, (0, 1)), Factor(2, (1,)))
    found = cut_of_sum(Sum(0, None, False, (rows,), frozenset({0})), {0: [4, 5], 1: [4, 5], 2: [5]})
    assert found is not None and (found.size, found.aligned) == (4, frozenset({1}))


@cell(
    sizes={"N": 6, "M": 4},
    state={"h": "H", "memory": "N M"},
    parameters={"W": "H I", "U": "H H", "R": "H M", "b": "H", "K": "N H", "E A": "M H"},
)
def written(p, x, h, memory):
    """A memory that is erased and written in shares that depend on the state."""
    h = tanh(p.W @ x + p.U @ h + p.R @ einsum("nm->m", memory) + p.b)
    share, erase, add = sigmoid(p.K @ h), sigmoid(p.E @ h), tanh(p.A @ h)
    return h, memory * (1 - outer(share, erase)) + outer(share, add)


def test_what_is_written_to_a_memory_is_one_row():
    step = (
        Network(2, 1, cell=written, hidden=5)
        .kernel_source()
        .partition("def step():")[2]
        .partition("def step_ended")[0]
    )
    called = [line.split("(")[0].strip() for line in step.splitlines() if line.strip() and "#" not in line]
    assert called.count("sums") == 1 and not {"contract", "copy"} & set(called)


@pytest.mark.thorough
def test_long_runs_of_a_memory_give_the_bytes_of_short_ones(monkeypatch):
    draws = np.random.default_rng(2)
    batch = Batch(draws.standard_normal((40, 7, 2)), draws.standard_normal((40, 7, 1)))
    results = []
    for long_run in (10**12, 0):
        monkeypatch.setattr("evorrn.engine.lanes.listings.LONG_RUN", long_run)
        network = Network(2, 1, cell=written, hidden=5, dtype="float64")
        genome = network.init(seed=0)
        loss, gradient = network.loss_and_gradient(genome, batch)
        results.append((network.fitness(genome[None], batch).tobytes(), loss, gradient.tobytes()))
    assert results[0] == results[1]
