"""Listings: kernels against NumPy, rows against equations, and the same bytes however the rows are divided."""

import ast
import sys
from collections import OrderedDict

import numpy as np
import pytest
from rows import run_row

from evorrn.compile.cell import cell
from evorrn.compile.ops import OPS
from evorrn.data.batch import Batch
from evorrn.engine.cache import cache_folder
from evorrn.engine.lanes import listings
from evorrn.engine.lanes.forward import CLEAR_ENDED, CLEAR_OVERRIDDEN, OVERRIDE, SELECT
from evorrn.engine.listing import elementwise as module
from evorrn.engine.listing import kernel as kernels
from evorrn.engine.listing.elementwise import FORMS, MULTIPLY_ADDS, Operation, elementwise
from evorrn.engine.listing.kernel import Kernel, fixed
from evorrn.engine.listing.listing import Place
from evorrn.engine.listing.writer import CLEAR, COPY
from evorrn.kernels.activations import TABLE
from evorrn.network.network import Network

NUMPY = {
    **{name: op.numpy for name, op in OPS.items()},
    "multiply_add": lambda a, b, c: a * b + c,
    "multiply_subtract": lambda a, b, c: a * b - c,
    "subtract_product": lambda a, b, c: c - a * b,
    "minus_multiply_add": lambda a, b, c: -a * b - c,
}


def operands_of(name):
    """Return how many operands an elementwise operation has."""
    if name in TABLE or name in MULTIPLY_ADDS.values():
        return 1 if name in TABLE else 3
    try:
        FORMS[name](ast.Name("a"), ast.Name("b"))
    except TypeError:
        return 1
    return 2


def run_elementwise(names, kinds, dtype, draws):
    """Run operations on the same operands, whose kinds are given, in one kernel; return results and NumPy's."""
    computed = [Operation(10 + k, name, tuple(range(operands_of(name)))) for k, name in enumerate(names)]
    made = elementwise(computed, [operation.node for operation in computed], lambda index: kinds[index])
    shapes = {module.NUMBER: (1,), module.PARAMETER: (3, 1), module.LANE: (1, 16), module.VECTOR: (3, 16)}
    drawn = [draws.uniform(0.5, 2.0, shapes[kind]).astype(dtype) for kind in kinds]
    values = [drawn[index] for index in made.reads]
    results = [np.full((3, 16), np.nan, dtype) for _ in made.writes]
    arrays = {f"a{k}": array for k, array in enumerate([*results, *values])}
    run_row(made.kernel, (3, 16, *map(Place, arrays)), arrays, dtype)
    wanted = [
        np.broadcast_to(NUMPY[o.name](*(drawn[i].astype(float) for i in o.operands)), (3, 16))
        for o in computed
    ]
    return results, wanted


@pytest.mark.parametrize(
    "dtype,error", [pytest.param("float32", 2e-6, marks=pytest.mark.thorough), ("float64", 1e-13)]
)
@pytest.mark.parametrize("kinds", ["vvv", "npv", "lvp", "vln"])
def test_every_elementwise_operation_equals_numpy(kinds, dtype, error):
    names = sorted(FORMS)
    for name, result, wanted in zip(
        names, *run_elementwise(names, kinds, dtype, np.random.default_rng(0)), strict=True
    ):
        np.testing.assert_allclose(result, wanted, rtol=error, atol=error, err_msg=name)


@pytest.mark.thorough
@pytest.mark.parametrize("name", sorted(FORMS))
def test_an_operation_alone_gives_the_bytes_of_one_among_many(name):
    names = sorted(FORMS)
    together, _ = run_elementwise(names, "vvv", "float32", np.random.default_rng(1))
    (alone,), _ = run_elementwise([name], "vvv", "float32", np.random.default_rng(1))
    assert alone.tobytes() == together[names.index(name)].tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_kernels_that_move_numbers_equal_numpy(dtype):
    rng = np.random.default_rng(2)
    target, other = (rng.standard_normal((3, 16)).astype(dtype) for _ in range(2))
    other[1, ::3] = np.nan
    ends = np.arange(16) % 5
    arrays = {"target": target, "other": other, "ends": ends}
    places, held = list(map(Place, arrays)), np.isnan(other)

    def after(kernel, *operands, time=0):
        changed = {**arrays, "target": target.copy()}
        run_row(kernel, operands, changed, dtype, time=time)
        return changed["target"]

    out, source, lengths = places
    np.testing.assert_array_equal(after(COPY, out, source, 32)[:2], other[:2])
    np.testing.assert_array_equal(after(COPY, out, source, 32)[2], target[2])
    np.testing.assert_array_equal(after(CLEAR, out, 48), np.zeros((3, 16)))
    np.testing.assert_array_equal(after(OVERRIDE, out, source, 48), np.where(held, target, other))
    np.testing.assert_array_equal(after(CLEAR_OVERRIDDEN, out, source, 48), np.where(held, target, 0))
    selected = after(SELECT, out, source, lengths, 3, 16, time=2)
    np.testing.assert_array_equal(selected, np.where(ends <= 2, other, target))
    cleared = after(CLEAR_ENDED, out, lengths, 3, 16, time=2)
    np.testing.assert_array_equal(cleared, np.where(ends <= 2, 0, target))


def test_a_loss_and_its_gradient_are_those_of_its_file():
    rng = np.random.default_rng(3)
    y, target = rng.standard_normal((2, 2, 16))
    weights = np.arange(16) % 2.0
    arrays = {"sums": np.ones(16), "y": y, "target": target, "weights": weights}
    about = (Place("y"), Place("target"), Place("weights"), 2, 2, 16)
    losses = "evorrn.losses.mse"
    run_row(fixed("loss", "add_loss", losses), (Place("sums"), *about), arrays, "float64")
    np.testing.assert_allclose(arrays["sums"], 1 + weights * ((y - target) ** 2).sum(axis=0), rtol=1e-14)
    arrays |= {"gradient": np.full((2, 16), np.nan), "scale": np.array([0.25])}
    operands = Place("gradient"), Place("scale"), *about
    run_row(fixed("gradient_of_loss", "loss_gradient", losses), operands, arrays, "float64")
    np.testing.assert_allclose(arrays["gradient"], 0.5 * weights * (y - target), rtol=1e-14)


@cell(state={"h": "H"}, parameters={"W": "H I", "b": "H"})
def adding(p, x, h):
    """The gradient of the old state is that of the new one, which is also a factor of the matrix's gradient."""
    return h + (p.W @ x + p.b)


@cell(state={"h": "H", "m": "H"}, parameters={"W": "H I", "U": "H H", "a": "H"})
def own(p, x, h, m, *, rate=0.3):
    """A cell with numbers, vectors and matrices of its own, and expressions of its option."""
    z = p.W @ x + p.U.T @ h
    return (1 - rate) * h + rate * (z * p.a), m - rate * z * m


def draw(network, sequences, steps, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((sequences, steps, network.inputs))
    y = rng.standard_normal((sequences, steps, network.outputs))
    batch = Batch(x, y, lengths=rng.integers(1, steps + 1, sequences))
    return 0.3 * rng.standard_normal(network.size), batch, rng.standard_normal(network.size)


@pytest.mark.parametrize("layers", [(4,), (3, 5)])
@pytest.mark.parametrize("architecture", [adding, own])
def test_the_gradient_of_a_users_cell_is_that_of_differences(architecture, layers):
    network = Network(2, 2, cell=architecture, hidden=layers, dtype="float64")
    genome, batch, direction = draw(network, 19, 7, 4)
    _, gradient = network.loss_and_gradient(genome, batch)
    ahead, behind = (network.loss(genome + step * direction, batch) for step in (1e-6, -1e-6))
    assert gradient @ direction == pytest.approx((ahead - behind) / 2e-6, rel=1e-6)


@pytest.mark.parametrize("dtype", [pytest.param("float32", marks=pytest.mark.thorough), "float64"])
@pytest.mark.parametrize("architecture", ["gru", own])
def test_whole_stages_as_kernels_give_the_same_bytes(architecture, dtype, monkeypatch):
    results = []
    for long_run in (10**18, 0):
        monkeypatch.setattr(listings, "LONG_RUN", long_run)
        network = Network(2, 1, cell=architecture, hidden=(5, 3), dtype=dtype)
        genome, batch, _ = draw(network, 21, 9, 5)
        loss, gradient = network.loss_and_gradient(genome, batch)
        fitness = network.fitness(np.stack([genome, -genome]), batch)
        results.append((loss, gradient.tobytes(), fitness.tobytes()))
    assert results[0] == results[1]


def test_a_run_becomes_long_by_its_work_alone(monkeypatch):
    network = Network(2, 1, cell="gru", hidden=4)
    genome, batch, _ = draw(network, 20, 9, 6)
    ready = network._programs.lanes._listings
    monkeypatch.setattr(listings, "LONG_RUN", 1)
    for _ in range(3):
        network.fitness(genome[None], batch)
    assert {whole for _, whole in ready._ready} == {False, True}
    spare = ready._spare
    network.fitness(genome[None], batch)
    assert ready._spare == spare  # nothing is left to spare


def test_other_values_of_an_option_write_no_listing():
    network = Network(2, 1, cell="leaky", hidden=4, dtype="float64")
    genome, batch, _ = draw(network, 20, 9, 7)
    network.fitness(genome[None], batch)
    before = network.compile_seconds
    values = [network.with_options({"leak": leak}).loss(genome, batch) for leak in (0.2, 0.7, 0.2)]
    assert network.compile_seconds == before
    assert values[0] == values[2] != values[1]


def test_tables_are_bounded():
    table = OrderedDict()
    for key in range(10):
        listings.keep(table, key, -key, size=4)
    assert dict(table) == {key: -key for key in range(6, 10)}


def test_the_listing_shows_each_row_under_its_equation():
    text = Network(2, 1, cell="gru", hidden=4).kernel_source()
    ast.parse(text)
    lines = [line.strip() for line in text.splitlines()]
    for equation, row in (
        ("# y_new = readout.W @ layer0_h_new + readout.b", "affine(y_new, 1, "),
        ("# d_readout_W += d_output x layer0_h_new", "outer(d_readout_W, d_output[k], "),
    ):
        assert lines[lines.index(equation) + 1].startswith(row)


@pytest.mark.parametrize("harm", ["damaged", "empty", "absent"])
def test_a_kernel_whose_cached_code_is_gone_is_compiled_again(harm):
    source = fixed("copy").source.replace("The kernel", f"The {harm} kernel")
    values = {}
    for _ in range(2):
        kernel = Kernel("copy", source)
        values = {"out": np.zeros(3), "source": np.arange(3.0)}
        run_row(kernel, (Place("out"), Place("source"), 3), values, "float64")
        about = f"The {harm} kernel copy for float64."
        (name,) = (n for n, m in sys.modules.items() if "copy_float64" in n and m.__doc__ == about)
        files = list(cache_folder().rglob(f"{name}*.nb?"))
        assert files
        for file in files:
            if harm == "absent":
                file.unlink()
            else:
                file.write_bytes(b"" if harm == "empty" else b"not what numba wrote")
        del sys.modules[name]
        kernels._address.cache_clear()
    assert values["out"].tolist() == [0, 1, 2]
