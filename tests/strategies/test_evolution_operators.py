"""Compiled operators against DEAP's own, with the same random numbers, and units."""

from types import SimpleNamespace

import numpy as np
import pytest
from deap import tools
from numba import njit

from evorrn.base.errors import ShapeError
from evorrn.strategies.evolution import operators
from evorrn.strategies.evolution.units import check_layout, units

LSTM = {
    "layer0.W_i": (3, 2),
    "layer0.U_i": (3, 3),
    "layer0.b_i": (3,),
    "layer1.u": (4,),
    "readout.W": (2, 4),
    "readout.b": (2,),
}


def feed(monkeypatch, module, uniform=(), normal=(), cut=None):
    """Make a module of DEAP draw the numbers given."""
    uniform, normal = iter(uniform), iter(normal)
    fed = SimpleNamespace(
        random=lambda: float(next(uniform)),
        gauss=lambda mu, sigma: mu + sigma * float(next(normal)),
        randint=lambda low, high: cut,
    )
    monkeypatch.setattr(f"deap.tools.{module}.random", fed)


def parents(n=40, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal(n), 3 * rng.standard_normal(n), rng.random(n), np.arange(n)


@pytest.mark.parametrize("eta", [0.0, 2.0, 15.0])
def test_simulated_binary_is_deaps(monkeypatch, eta):
    one, two, draws, each = parents()
    draws[:3] = 0.0, 0.5, np.nextafter(1.0, 0.0)
    feed(monkeypatch, "crossover", draws)
    wanted = tools.cxSimulatedBinary(one.tolist(), two.tolist(), eta)
    got = operators.simulated_binary(one.copy(), two.copy(), eta, each, draws)
    np.testing.assert_allclose(got, wanted, rtol=1e-13)
    np.testing.assert_allclose((got[0] + got[1])[3:], (one + two)[3:], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_blend_is_deaps(monkeypatch, alpha):
    one, two, draws, each = parents()
    feed(monkeypatch, "crossover", draws)
    wanted = tools.cxBlend(one.tolist(), two.tolist(), alpha)
    got = operators.blend(one.copy(), two.copy(), alpha, each, draws)
    np.testing.assert_allclose(got, wanted, rtol=1e-13)


def test_uniform_is_deaps(monkeypatch):
    one, two, draws, each = parents()
    feed(monkeypatch, "crossover", draws)
    wanted = tools.cxUniform(one.tolist(), two.tolist(), 0.3)
    np.testing.assert_array_equal(operators.uniform(one.copy(), two.copy(), 0.3, each, draws), wanted)


def test_one_point_does_what_deaps_does_for_every_cut(monkeypatch):
    n = 7
    one, two, draws, each = parents(n)
    for cut in range(1, n):
        feed(monkeypatch, "crossover", cut=cut)
        wanted = tools.cxOnePoint(one.tolist(), two.tolist())
        draws[0] = (cut - 0.5) / (n - 1)
        np.testing.assert_array_equal(operators.one_point(one.copy(), two.copy(), each, draws), wanted)


def test_one_point_cuts_everywhere_equally_and_leaves_a_single_unit_alone():
    cuts = []
    for draw in np.linspace(0, 1, 4000, endpoint=False):
        first, _ = operators.one_point(np.zeros(5), np.ones(5), np.arange(5), np.array([draw] * 5))
        cuts.append(5 - int(first.sum()))
    assert np.bincount(cuts).tolist() == [0, 1000, 1000, 1000, 1000]
    first, second = operators.one_point(np.zeros(5), np.ones(5), np.zeros(5, dtype=np.int64), np.array([0.9]))
    assert not first.any() and second.all()


def test_gaussian_is_deaps(monkeypatch):
    one, _, draws, each = parents()
    noise = np.random.default_rng(1).standard_normal(int((draws < 0.4).sum()))
    feed(monkeypatch, "mutation", draws, noise)
    (wanted,) = tools.mutGaussian(one.tolist(), 0.0, 0.2, 0.4)
    (got,) = operators.gaussian(one.copy(), 0.2, 0.4, each, draws, noise)
    np.testing.assert_allclose(got, wanted, rtol=1e-15)
    assert 0 < (got != one).sum() == noise.size < one.size


def test_operators_change_in_place_and_return_what_they_were_given():
    one, two, draws, each = parents()
    before = one.copy()
    first, second = operators.blend(one, two, 0.5, each, draws)
    assert np.shares_memory(first, one) and np.shares_memory(second, two)
    assert (one != before).all()


def test_operators_are_callable_from_compiled_code():
    uniform, gaussian = operators.uniform, operators.gaussian

    @njit
    def generation(one, two, each, draws, noise):
        uniform(one, two, 0.5, each, draws)
        gaussian(one, 0.1, 1.0, each, draws, noise)
        return one

    one, two, draws, each = parents(6)
    noise = np.arange(6.0)
    got = generation(one.copy(), two.copy(), each, draws, noise)
    np.testing.assert_allclose(got, np.where(draws < 0.5, two, one) + 0.1 * noise, rtol=1e-15)


@pytest.mark.parametrize("name", ["simulated_binary", "blend", "uniform"])
def test_operators_treat_genes_alike(name):
    """Permuting genes permutes the children: no operator depends on a gene's index."""
    one, two, draws, each = parents()
    order = np.random.default_rng(3).permutation(one.size)
    operator = getattr(operators, name)
    straight = operator(one.copy(), two.copy(), 0.4, each, draws)
    permuted = operator(one[order], two[order], 0.4, each, draws[order])
    np.testing.assert_array_equal(np.array(straight)[:, order], permuted)


def test_units_of_a_genome():
    sizes = [int(np.prod(shape)) for shape in LSTM.values()]
    assert units(LSTM, "gene").tolist() == list(range(sum(sizes)))
    assert units(LSTM, "block").tolist() == np.repeat(np.arange(6), sizes).tolist()
    neurons = np.concatenate(
        [
            [0, 0, 1, 1, 2, 2],  # W_i, row by row
            [0, 0, 0, 1, 1, 1, 2, 2, 2],  # U_i
            [0, 1, 2],  # b_i: the same three units
            [3, 4, 5, 6],  # layer1
            [7] * 4 + [8] * 4,  # readout.W
            [7, 8],
        ]
    )
    assert units(LSTM, "neuron").tolist() == neurons.tolist()


def test_units_of_names_without_dots_and_of_scalars():
    assert units({"a": (2,), "b": (2,), "c": ()}, "neuron").tolist() == [0, 1, 2, 3, 4]
    assert units({"genome": (3,)}, "neuron").tolist() == [0, 1, 2]


@pytest.mark.parametrize("unit", ["block", "neuron"])
@pytest.mark.parametrize("name", ["uniform", "one_point"])
def test_the_genes_of_a_unit_cross_over_together(unit, name):
    each = units(LSTM, unit)
    rng = np.random.default_rng(5)
    swapped = set()
    for _ in range(20):
        draws = rng.random(each.max() + 1)
        first, second = np.zeros(each.size), np.ones(each.size)
        if name == "uniform":
            operators.uniform(first, second, 0.5, each, draws)
        else:
            operators.one_point(first, second, each, draws)
        np.testing.assert_array_equal(first + second, 1)
        per_unit = [set(first[each == number]) for number in range(each.max() + 1)]
        assert all(len(values) == 1 for values in per_unit)
        swapped |= {number for number, values in enumerate(per_unit) if values == {1.0}}
    assert len(swapped) >= each.max()  # one-point never swaps the first unit


def test_a_layout_must_add_up():
    check_layout({"a": (2, 3), "b": ()}, 7)
    with pytest.raises(ShapeError, match="blocks of 8 genes in all, got 7"):
        check_layout({"a": (2, 3), "b": ()}, 8)
