"""The bench at tiny sizes: what it measures agrees with its peers, and every group gives a complete row."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import scipy.linalg

from evorrn.bench import (
    adaptation,
    architectures,
    control,
    generation,
    gradient,
    kalman,
    labels,
    online,
    population,
    reservoir,
    scaling,
    start_up,
    strategies,
    trees,
    wiring,
)
from evorrn.bench.peers import numpy_peer, python_control_peer
from evorrn.bench.peers.weights import stacked
from evorrn.bench.results import Target
from evorrn.bench.session import Session
from evorrn.bench.timing import Times
from evorrn.diagnostics import lyapunov_spectrum
from evorrn.network.network import Network
from evorrn.strategies import find

SMALL = population.Case("elman", 5, 3, sequences=4, steps=6, peers=("numpy",), product=False)
QUICK = Session(quick=True)


def peers_of(row):
    return [finding.peer for finding in row.findings]


@pytest.mark.parametrize("cell", ["elman", "lstm", "gru"])
def test_the_numpy_idiom_scores_as_ours(cell):
    network, genomes, batch = population.workload(population.Case(cell, 5, 3, sequences=4, steps=6))
    theirs = numpy_peer.fitness(cell, stacked(network, genomes), batch).check()[0]
    np.testing.assert_allclose(-network.fitness(genomes, batch), theirs, rtol=1e-5)


@pytest.mark.parametrize("peer", ["jax", "torch"])
def test_populations_and_gradients_agree_with_their_peers(peer):
    pytest.importorskip(peer)
    small = population.Case("elman", 5, 3, sequences=4, steps=6, peers=(peer,), product=False)
    row = population.measure(small, Session(quick=True))
    assert row.remarks == [] and row.findings[0].numbers["deviation"] < 1e-5
    row = gradient.measure(gradient.Case("elman", 5, 2, 3, 6, 4), Session(quick=True))
    found = {finding.peer.split()[0]: finding for finding in row.findings}
    finding = found[{"jax": "JAX", "torch": "PyTorch"}[peer]]
    assert finding.numbers["deviation"] < 1e-5 and finding.value == pytest.approx(
        finding.seconds.minimum / row.ours.minimum
    )


@pytest.mark.parametrize("hidden", [(5,), (4, 4)])
def test_bidirectional_layers_agree_with_their_peer(hidden):
    pytest.importorskip("torch")
    row = wiring.measure(wiring.Case("small", hidden, 3, 2, 6, 5, 2), QUICK)
    assert row.remarks == [] and row.findings[0].numbers["deviation"] < 1e-5


def test_populations_of_bidirectional_layers_agree_with_their_peer():
    pytest.importorskip("jax")
    row = wiring.measure(wiring.Case("small", (4,), 3, 2, 6, 5, 2, individuals=3), QUICK)
    assert row.remarks == [] and row.findings[0].numbers["deviation"] < 1e-5


def test_encoder_decoders_agree_with_their_peer():
    pytest.importorskip("torch")
    row = wiring.measure(wiring.Pairs("small", 5, 7, 3, 4, 6, 3, 1), QUICK)
    assert row.remarks == [] and row.findings[0].numbers["deviation"] < 1e-5


@pytest.mark.parametrize(
    "case", [c for c in architectures.GROUP.cases if not c.individuals], ids=lambda c: c.cell
)
@pytest.mark.parametrize("peer", architectures.PEERS)
def test_cells_beyond_gates_agree_with_their_peers(peer, case):
    pytest.importorskip(peer.split("_")[0])
    for individuals in (2, 0):
        small = replace(case, hidden=5, steps=6, sequences=3, individuals=individuals)
        row = architectures.measure(small, QUICK)
        found = {finding.peer.split()[0]: finding for finding in row.findings}
        assert found[{"jax": "JAX", "torch": "PyTorch"}[peer.split("_")[0]]].numbers["deviation"] < 1e-5


def test_losses_of_labels_agree_with_those_of_their_peer():
    pytest.importorskip("torch")
    row = labels.measure(labels.Case(5, 12, 4, 3), QUICK)
    assert row.findings[0].numbers["deviation"] < 1e-5


@pytest.mark.parametrize("cell", ["elman", "lstm"])
def test_influences_carried_by_jax_give_our_gradient(cell):
    pytest.importorskip("jax")
    forms = {"expert": 1.0 * (cell == "elman"), "both": 1.0, "alone": 1.0}
    row = online.measure(online.Case("small", "rtrl", cell, 5, 7, product=1.0, **forms), QUICK)
    assert row.remarks == [] and len(row.findings) == 3 + (cell == "elman")
    assert all(finding.numbers.get("deviation", 0.0) < 1e-5 for finding in row.findings)


def test_snap_by_braintrace_gives_our_gradient():
    pytest.importorskip("braintrace")
    row = online.measure(online.Case("small", "snap", "elman", 5, 7, traced=1.0), QUICK)
    assert row.remarks == [] and row.findings[0].numbers["deviation"] < 1e-5


def test_an_epoch_of_the_kalman_filter_gives_the_weights_of_its_peer():
    row = kalman.measure(kalman.Case(4, 30, 1.0), QUICK)
    assert row.remarks == [] and row.findings[0].numbers["deviation"] < 1e-8


@pytest.mark.parametrize(
    "case",
    [
        case
        if case.name in ("rtrl-lstm-32", "rtrl-elman-64-threads")
        else pytest.param(case, marks=pytest.mark.thorough)
        for case in online.GROUP.cases
    ],
    ids=lambda c: c.name,
)
def test_every_row_of_online_learning_is_measured_without_peers(case, monkeypatch):
    for package, peer in (("jax", "jax_online"), ("braintrace", "braintrace_online")):
        monkeypatch.setitem(sys.modules, package, None)
        monkeypatch.delitem(sys.modules, f"evorrn.bench.peers.{peer}_peer", raising=False)
    row = online.measure(replace(case, hidden=5, steps=7), Session(quick=True))
    assert row.ours is not None and row.findings
    assert all("_online is missing" in remark for remark in row.remarks)


@pytest.mark.parametrize("cell", ["recursive", "rntn"])
def test_recursive_networks_agree_with_their_peer(cell):
    pytest.importorskip("torch")
    row = trees.measure(trees.Case(cell, 4, 5, 1, 9, 1.0), QUICK)
    assert row.findings[0].numbers["deviation"] < 1e-5


@pytest.mark.parametrize("case", adaptation.GROUP.cases, ids=lambda c: c.name)
def test_rules_of_reservoirs_and_memories_agree_with_their_peers(case):
    if case.name.startswith(("rls", "plasticity")):
        pytest.importorskip("reservoirpy")
    row = adaptation.measure(replace(case, units=24, steps=90), QUICK)
    assert row.remarks == [] and len(row.findings) == {"lyapunov-300": 2, "lyapunov-sparse-300": 4}.get(
        case.name, 1
    )
    assert row.findings[0].numbers.get("deviation", 0.0) < 1e-5


def test_the_exponents_of_the_peer_are_those_of_the_diagnostics():
    network = Network(1, 1, hidden=6, dtype="float64")
    genome, x = network.init(seed=0), np.random.default_rng(0).normal(size=(300, 1))
    found = numpy_peer.lyapunov_exponents(network.unpack(genome), x, 3).call()
    ours = lyapunov_spectrum(network, genome, x[None], 3, washout=0)
    np.testing.assert_allclose(ours, found, atol=0.01)
    seldom = numpy_peer.lyapunov_exponents(network.unpack(genome), x, 3, every=7, sparse=True).call()
    np.testing.assert_allclose(seldom, found, rtol=1e-9)


def test_gated_cells_of_peers_agree_with_ours():
    pytest.importorskip("jax")
    pytest.importorskip("torch")
    from evorrn.bench.peers import jax_peer, torch_peer

    for cell in ("lstm", "gru"):
        network, genomes, batch = population.workload(population.Case(cell, 5, 3, sequences=4, steps=6))
        weights = stacked(network, genomes)
        wanted = numpy_peer.fitness(cell, weights, batch).check()[0]
        for module in (jax_peer, torch_peer):
            np.testing.assert_allclose(module.fitness(cell, weights, batch).check()[0], wanted, rtol=1e-5)
        single = {name: values[0] for name, values in weights.items()}
        for one, other in zip(
            jax_peer.gradient(cell, single, batch).check(), torch_peer.gradient(cell, single, batch).check()
        ):
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-6)


def test_a_generation_counts_whom_it_evaluates():
    row = generation.measure(generation.Case(SMALL, {"deap": Target(at_least=1)}), Session(quick=True))
    assert row.ours is not None and 1 <= row.numbers["evaluated"] <= SMALL.individuals
    deap = next(finding for finding in row.findings if finding.peer.startswith("DEAP"))
    assert deap.target == Target(at_least=1) and deap.numbers["deviation"] < 1e-5
    each = next(finding for finding in row.findings if finding.peer.endswith("NumPy, per individual"))
    assert each.seconds.median == pytest.approx(deap.seconds.median / deap.numbers["evaluated"])
    if "evosax" in sys.modules:
        assert peers_of(row)[0].startswith("evosax") and row.findings[0].numbers["evaluated"] == 3


@pytest.mark.parametrize("name", ["snes", "de"])
def test_a_generation_of_a_strategy_is_set_against_its_namesakes(name):
    """One that begins with a mean, and one that begins with a population."""
    pytest.importorskip("evosax")
    case = next(case for case in strategies.GROUP.cases if case.name == name)
    small = population.Case("elman", 4, 8, sequences=3, steps=5)
    peers = {"evosax": case.peers["evosax"]}
    row = strategies.measure(strategies.Case(name, peers, case.targets, {}, small), Session(quick=True))
    (found,) = row.findings
    assert row.remarks == [] and found.peer == f"evosax {peers['evosax']}, jitted"
    assert found.target == Target(at_least=2) and found.numbers["deviation"] < 1e-5
    assert row.numbers["evaluated"] == 8 + (name == "snes")  # the mean is evaluated beside its samples
    assert row.numbers["generations_per_second"] == pytest.approx(1 / row.ours.median)


def test_evotorch_takes_the_same_networks_through_a_generation():
    pytest.importorskip("evotorch")
    from evorrn.bench.peers.evotorch_peer import SEARCHERS

    small = population.Case("elman", 4, 8, sequences=3, steps=5)
    wanted = {case.peers["evotorch"] for case in strategies.GROUP.cases if "evotorch" in case.peers}
    assert wanted <= set(SEARCHERS)
    case = strategies.Case("pgpe", {"evotorch": "PGPE"}, workload=small)
    row = strategies.measure(case, Session(quick=True))
    (found,) = row.findings
    assert row.remarks == [] and found.peer == "EvoTorch PGPE" and found.numbers["deviation"] < 1e-5


def test_every_strategy_that_asks_has_a_row_or_one_of_its_own():
    from evorrn.strategies.evolution.population import PopulationStrategy

    timed = {case.name for case in strategies.GROUP.cases}
    assert timed <= set(find.strategies())
    evosax = pytest.importorskip("evosax.algorithms")
    for case in strategies.GROUP.cases:
        assert hasattr(evosax, case.peers.get("evosax", "PSO"))
    asking = {name for name, kind in find.strategies().items() if issubclass(kind, PopulationStrategy)}
    assert asking <= timed


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=[pytest.mark.thorough] * case.name.startswith("two-poles"))
        for case in control.GROUP.cases
    ],
    ids=lambda case: case.name,
)
def test_networks_of_the_control_rows_balance_to_the_end(case):
    network, genomes, environment, start = control.workload(case)
    assert (len(genomes), case.steps, len(np.unique(genomes, axis=0))) == (256, 1000, 256)
    assert case.targets["jax_control"] == Target(at_least=3)
    assert (network.simulate(genomes, environment, start[None], case.steps)[1] == case.steps).all()


def test_gains_are_those_of_the_linear_quadratic_regulator(monkeypatch):
    monkeypatch.setattr(python_control_peer, "CART_FRICTION", 0.0)

    def moved(*place):
        state, force = list(place[:6]), place[6]
        return python_control_peer.advance(python_control_peer.advance(state, force), force)

    slopes = np.array([np.subtract(moved(*row), moved(*-row)) / 2e-5 for row in 1e-5 * np.eye(7)]).T
    motion, push = slopes[:, :6], slopes[:, 6:]
    cost = scipy.linalg.solve_discrete_are(motion, push, np.diag([1, 0.1] * 3), [[0.1]])
    wanted = -np.linalg.solve(0.1 + push.T @ cost @ push, push.T @ cost @ motion)[0]
    np.testing.assert_allclose(control.GAINS, wanted, rtol=1e-3)


@pytest.mark.thorough
@pytest.mark.parametrize("fitness", ["standard", "damping"])
def test_episodes_are_those_of_a_python_loop_and_of_jax(fitness):
    case = control.Case("x", fitness, individuals=3, steps=130, targets={"jax_control": Target(at_least=3)})
    row = control.measure(case, Session(quick=True))
    found = {finding.peer: finding for finding in row.findings}
    python = found.pop("Python loop over a gymnasium environment")
    assert python.numbers["deviation"] < 1e-6 and row.numbers["balanced_steps"] == 130
    assert python.value == pytest.approx(python.seconds.minimum / row.ours.minimum * 3 / 2)
    assert python.numbers["evaluations_per_second"] == pytest.approx(2 / python.seconds.minimum)
    if "jax" in sys.modules:
        assert row.remarks == [] and list(found) == ["JAX jit(vmap(scan))", "JAX jit(vmap(while_loop))"]
        assert all(f.target == Target(at_least=3) and f.numbers["deviation"] < 1e-6 for f in found.values())


@pytest.mark.thorough
def test_a_python_loop_counts_the_steps_before_the_fall():
    case = control.Case("x", "standard", individuals=2, steps=200)
    network, genomes, environment, start = control.workload(case)
    lost = {name: np.zeros((2, *shape)) for name, shape in network.blocks.items()}
    fewest, returns, states = python_control_peer.episodes("x", "standard", lost, start[:6], 200, 20).check()
    _, lengths = network.simulate(0 * genomes, environment, start[None], 200)
    assert fewest == lengths.min() - 1 < 60 and returns.tolist() == [20, 20] and states.shape == (2, 20, 6)


def test_a_reservoir_is_run_and_fitted_as_by_its_peer():
    pytest.importorskip("reservoirpy")
    states = reservoir.measure(reservoir.Case("a", 12, 3, Target(at_least=1), steps=40), QUICK)
    assert peers_of(states) == ["reservoirpy", "reservoirpy, ours in float32"] and states.remarks == []
    assert states.findings[0].numbers["deviation"] < 1e-12
    fitted = reservoir.measure(reservoir.Case("b", 12, 3, Target(at_least=1), fitted=True, steps=200), QUICK)
    assert fitted.findings[0].numbers["deviation"] < 1e-8 and fitted.remarks == []


def test_scaling_is_the_slope_of_the_times(monkeypatch):
    case = scaling.Case("t", SMALL, "steps", 2, 200)
    assert case.sizes == [2, 6, 20, 64, 200]
    monkeypatch.setattr(
        scaling,
        "alternate",
        lambda calls, rounds: {size: Times((1e-3 * int(size) ** 1.25,)) for size in calls},
    )
    row = scaling.measure(case, QUICK)
    assert row.findings[0].value == pytest.approx(1.25) and row.findings[0].verdict == "14 % over"
    assert row.numbers["sizes"] == case.sizes


@pytest.mark.thorough
def test_start_up_waits_in_another_process(tmp_path):
    cases = {case.name: case for case in start_up.GROUP.cases}
    row = start_up.measure(cases["help"], QUICK)
    assert len(row.ours.calls) == 2 and row.findings[0].value == row.ours.minimum > 0.01
    assert start_up.first_generation(tmp_path) > 0 and any((tmp_path / "runs").iterdir())
    assert any((tmp_path / "evorrn").glob("*.py"))
    assert start_up.cold_call("elman", "fitness")(tmp_path) > 0  # not cold any more, which is quicker
    broken = start_up.Case("x", "x", Target(at_most=1), start_up.cold_call("no-such", "fitness"), warm=True)
    row = start_up.measure(broken, QUICK)
    assert row.ours is None and row.findings[0].verdict == "not measured" and "no-such" in row.remarks[0]
