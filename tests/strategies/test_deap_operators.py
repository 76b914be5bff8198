"""Every operator of DEAP in a user's toolbox gives what it gives on plain lists, or is refused with a sentence."""

import random
import re
import warnings

import numpy as np
import pytest
from deap import base, gp, tools

from evorrn import GeneticAlgorithm
from evorrn.base.errors import ConfigError, ShapeError
from evorrn.strategies.base import generator
from evorrn.strategies.evolution.deap_operators import REFUSED

GENES = 7
CROSSOVERS = {
    "cxOnePoint": {},
    "cxTwoPoint": {},
    "cxTwoPoints": {},
    "cxUniform": {"indpb": 0.4},
    "cxBlend": {"alpha": 0.3},
    "cxSimulatedBinary": {"eta": 2.0},
    "cxSimulatedBinaryBounded": {"eta": 2.0, "low": -9.0, "up": 9.0},
}
MUTATIONS = {
    "mutGaussian": {"mu": 0.1, "sigma": [0.5] * GENES, "indpb": 0.5},
    "mutPolynomialBounded": {"eta": 2.0, "low": -9.0, "up": 9.0, "indpb": 0.5},
    "mutShuffleIndexes": {"indpb": 0.5},
    "mutFlipBit": {"indpb": 0.5},
    "mutUniformInt": {"low": -3, "up": 3, "indpb": 0.5},
    "mutInversion": {},
}
SELECTIONS = {
    "selTournament": {"tournsize": 3},
    "selDoubleTournament": {"fitness_size": 3, "parsimony_size": 1.4, "fitness_first": True},
    "selRandom": {},
    "selBest": {},
    "selWorst": {},
    "selRoulette": {},
    "selStochasticUniversalSampling": {},
    "selLexicase": {},
    "selEpsilonLexicase": {"epsilon": 0.5},
    "selAutomaticEpsilonLexicase": {},
    "selNSGA2": {},
    "selSPEA2": {},
}


class Fitness(base.Fitness):
    weights = (1.0,)


class Chromosome(list):
    """What DEAP's operators are made for: a list with a fitness."""

    def __init__(self, genes):
        super().__init__(genes)
        self.fitness = Fitness()


def toolbox(**operators):
    box = base.Toolbox()
    for name, (function, settings) in operators.items():
        box.register(name, function, **settings)
    return box


def asked(box, genes=GENES, fitness=None, **settings):
    """Return the parents, their fitness, the children, and the seed that the toolbox was called with."""
    settings = {"population": 12, "elite": 0, "crossover_probability": 0.7, **settings}
    search = GeneticAlgorithm(toolbox=box, **settings).search(np.zeros(genes), seed=3)
    parents = search.ask()
    values = 1.0 + np.abs(parents).sum(axis=1) if fitness is None else fitness
    search.tell(parents, values)
    seed = int(generator(search.state).integers(2**32))
    state, _ = search.strategy.ask(search.state)
    return parents, values, state["population"], seed


def by_lists(box, parents, values, seed):
    """Return the children that DEAP's `varAnd` makes of lists."""
    from deap.algorithms import varAnd

    crowd = [Chromosome(genes) for genes in parents.tolist()]
    for each, value in zip(crowd, values.tolist()):
        each.fitness.values = (value,)
    state = random.getstate()
    random.seed(seed)
    try:
        return varAnd(box.select(crowd, len(crowd)), box, 0.7, 1.0)
    finally:
        random.setstate(state)


CASES = [
    *(("mate", name, settings) for name, settings in CROSSOVERS.items()),
    *(("mutate", name, settings) for name, settings in MUTATIONS.items()),
    *(("select", name, settings) for name, settings in SELECTIONS.items()),
]


@pytest.mark.filterwarnings("ignore:tools.cxTwoPoints:FutureWarning")
@pytest.mark.parametrize("genes", [2, GENES])
@pytest.mark.parametrize(("kind", "name", "settings"), CASES, ids=[case[1] for case in CASES])
def test_it_gives_what_it_gives_on_plain_lists(kind, name, settings, genes):
    """Crossovers that swap slices lost genes, because slices of arrays are views."""
    box = toolbox(
        **{
            "select": (tools.selTournament, {"tournsize": 2}),
            "mate": (tools.cxUniform, {"indpb": 0.5}),
            "mutate": (tools.mutGaussian, {"mu": 0, "sigma": 0.1, "indpb": 0.5}),
            kind: (getattr(tools, name), settings),
        }
    )
    parents, values, children, seed = asked(box, genes)
    np.testing.assert_allclose(children, by_lists(box, parents, values, seed), rtol=1e-14)


def test_every_operator_of_deap_is_tried_or_refused():
    names = [name for name in dir(tools) if re.match("(cx|mut|sel)[A-Z]", name)]
    known = {*CROSSOVERS, *MUTATIONS, *SELECTIONS, *(each.__name__ for each in REFUSED)}
    assert set(names) - known == set()


@pytest.mark.parametrize("function", list(REFUSED), ids=lambda each: each.__name__)
def test_what_cannot_work_is_refused_with_a_sentence(function):
    kind = {"cx": "mate", "mu": "mutate", "se": "select"}[function.__name__[:2]]
    made = function(np.ones((3, 1))) if isinstance(function, type) else function
    with pytest.raises(ConfigError, match=rf"toolbox.{kind}: {function.__name__} \w.*(, and|; |objectives)"):
        GeneticAlgorithm(toolbox=toolbox(**{kind: (made, {})}))


def test_operators_of_trees_are_refused():
    with pytest.raises(ConfigError, match=r"toolbox.mate: cxOnePoint works on trees"):
        GeneticAlgorithm(toolbox=toolbox(mate=(gp.cxOnePoint, {})))


@pytest.mark.parametrize(
    ("name", "meant"),
    [("selekt", "select"), ("selection", "select"), ("mutation", "mutate"), ("crossover", "mate")],
)
def test_a_misspelled_operator_is_refused_with_the_nearest(name, meant):
    box = toolbox(mutate=(tools.mutGaussian, {"mu": 0, "sigma": 1, "indpb": 1}))
    box.register(name, tools.selBest)
    box.register("evaluate", sum)  # what a toolbox usually also has
    box.register("population", list)
    with pytest.raises(ConfigError) as caught:
        GeneticAlgorithm(toolbox=box)
    assert caught.value.problems == [f"toolbox.{name}: unknown operator {name!r}; did you mean {meant!r}?"]


def test_a_toolbox_without_operators_is_refused():
    with pytest.raises(
        ConfigError, match="toolbox: expected at least one of the operators select, mate, mutate"
    ):
        GeneticAlgorithm(toolbox=toolbox(evaluate=(sum, {})))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("kind", ["mate", "mutate"])
def test_genes_that_are_not_finite_are_named(kind, value):
    def broken(*given):
        given[0][2] = value
        return given

    with pytest.raises(ShapeError, match=rf"toolbox.{kind}: expected finite genes, got {value} as gene 2"):
        asked(toolbox(**{kind: (broken, {})}), crossover_probability=1.0)


@pytest.mark.parametrize("name", ["selRoulette", "selStochasticUniversalSampling"])
@pytest.mark.parametrize("fitness", [np.linspace(-3, 5, 12), np.zeros(12), np.r_[-np.inf, np.ones(11)]])
def test_selection_in_proportion_to_fitness_wants_positive_fitness(name, fitness):
    with pytest.raises(
        ConfigError, match=f"toolbox.select: {name} needs positive fitness, and the lowest here is "
    ):
        asked(toolbox(select=(getattr(tools, name), {})), fitness=fitness)


@pytest.mark.parametrize(
    ("kind", "name"), [("mate", "cxOnePoint"), ("mate", "cxTwoPoint"), ("mutate", "mutShuffleIndexes")]
)
def test_an_operator_of_deap_that_fails_says_which(kind, name):
    settings = {"indpb": 1.0} if kind == "mutate" else {}
    with pytest.raises(ConfigError, match=f"toolbox.{kind}: {name} of DEAP failed: ValueError"):
        asked(toolbox(**{kind: (getattr(tools, name), settings)}), genes=1, crossover_probability=1.0)


def test_a_users_own_crossover_may_swap_slices():
    def swap(one, two):
        one[1:4], two[1:4] = two[1:4], one[1:4]
        return one, two

    box = toolbox(select=(tools.selBest, {}), mate=(swap, {}), mutate=(lambda one: (one,), {}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parents, values, children, _ = asked(box, crossover_probability=1.0)
    wanted = parents[np.argsort(-values, kind="stable")]
    wanted[0::2, 1:4], wanted[1::2, 1:4] = wanted[1::2, 1:4].copy(), wanted[0::2, 1:4].copy()
    np.testing.assert_array_equal(children, wanted)
