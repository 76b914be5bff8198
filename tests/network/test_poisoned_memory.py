"""Everything that a network computes is the same byte for byte where memory that is used again is poisoned."""

import numpy as np
import pytest
from poisoned import poison

from evorrn import Batch, Network
from evorrn.engine.rows.run import Rows
from evorrn.kernels import threads

KINDS = {
    "one layer": {"cell": "gru", "hidden": 5},
    "feedback": {"cell": "lstm", "hidden": 4, "feedback": True, "direct": True},
    "both directions": {"cell": ["gru", "elman"], "hidden": [3, 5], "bidirectional": True, "reads": "all"},
    "embedding": {"cell": "elman", "hidden": 4, "embedding": 3},
    "embedding in both directions": {"cell": "lstm", "hidden": 4, "embedding": 2, "bidirectional": True},
    "mean of all steps": {"cell": "mgu", "hidden": 4, "readout": "mean"},
    "three samples": {"cell": ["gru", "gru"], "hidden": [4, 3], "readout": "sampled:3"},
    "largest of all steps": {"cell": "elman", "hidden": 6, "readout": "max", "embedding": 2},
    "ctc": {"cell": "lstm", "hidden": 4, "loss": "ctc"},
    "classes": {"cell": "elman", "hidden": 4, "loss": "cross-entropy", "learn_start": True},
    "products of states": {"cell": "second-order", "hidden": 3},
    "trees": {"cell": "tree-lstm", "hidden": 3},
}


def results(network, rng, sequences, steps):
    """Return what a network computes of drawn sequences, by the names of its methods."""
    lengths = rng.integers(1, steps + 1, sequences)
    links = None
    if network.arity:
        links = np.arange(steps)[:, None] - 1 - np.arange(network.arity)
        links = np.broadcast_to(np.maximum(links, -1), (sequences, steps, network.arity))
    x = rng.standard_normal((sequences, steps, network.inputs))
    x = rng.integers(0, network.inputs, (sequences, steps)) if network.embedding else x
    shape = (sequences, network.outputs) if network.pool else (sequences, steps, network.outputs)
    targets, upon, given = rng.standard_normal(shape), rng.standard_normal(shape), {}
    if network.loss_name == "cross-entropy":
        targets = rng.integers(0, network.outputs, (sequences, steps))
    if network.loss_name == "ctc":
        targets, given = (
            rng.integers(1, network.outputs, (sequences, 1)),
            {"target_lengths": np.ones(sequences, int)},
        )
    elif not network.pool:
        given["mask"] = rng.random((sequences, steps)) < 0.7
        given["mask"][:, 0] = True
    batch = Batch(x, targets, lengths=lengths, links=links, **given)
    genomes = network.init_many(rng, 5)
    genome, shown = genomes[0], {"lengths": lengths, "links": links}
    found = {
        "predict": network.predict(genome, x, **shown),
        "fitness": network.fitness(genomes, batch),
        "gradient": network.loss_and_gradient(genome, batch)[1],
        "vjp": network.vjp(genome, x, upon, **shown),
        "states": network.readout_states(genome, x, **shown),
        "states of all": network.population_states(genomes, x, **shown),
    }
    if not network.arity:
        found["jacobian"] = network.jacobian(genome, x[:2])
    if not (network.arity or network.wired):
        state, free = (
            rng.standard_normal((sequences, network.state_size)),
            rng.integers(0, steps + 1, sequences),
        )
        found["free run"] = network.predict(genome, x, state, free_from=free, lengths=lengths)
        found["steps"] = network.linearised(genome, x, state, lengths=lengths).by_genome(0)
        found["influence"] = network.influence(genome, x, state=state)[2]
        stepper = network.stepper(genome, state, network.feeds_back)
        last = [rng.standard_normal((sequences, network.outputs))] if network.feeds_back else []
        for _ in range(2):
            found["stepper"] = np.array(stepper(genome, x[:, 0], *last)[1])
    return found


@pytest.mark.thorough
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
def test_results_do_not_depend_on_what_was_in_memory(kind, dtype, monkeypatch):
    """Sizes are drawn, so that arrays of other sizes come between; the number of threads changes as well."""
    monkeypatch.setattr(Rows, "fit", lambda self, sequences: False)
    drawn = np.random.default_rng([*kind.encode()])
    network = Network(3, 3, dtype=dtype, **KINDS[kind])
    sizes = [(int(drawn.integers(1, 100)), int(drawn.integers(3, 16))) for _ in range(3)]
    wanted = [results(network, np.random.default_rng(k), *size) for k, size in enumerate(sizes)]
    with monkeypatch.context() as patch:
        wrong = poison(patch)
        for count in (1, 3):
            patch.setattr(threads, "_count", count)
            for k, size in enumerate(sizes):
                found = results(network, np.random.default_rng(k), *size)
                for name, values in found.items():
                    assert np.isfinite(values).all(), (name, size, count)
                    assert values.tobytes() == wanted[k][name].tobytes(), (name, size, count)
        assert wrong == []


def test_the_poison_is_found(monkeypatch):
    """Memory that is lent, that is read after it came back, and that is written beyond the end of an array."""
    from evorrn.kernels import memory

    with monkeypatch.context() as patch:
        wrong = poison(patch)
        array = memory.room((3, 5), np.dtype(np.float32))
        assert np.isnan(array).all() and np.isnan(threads.scratch(5, np.dtype(np.float64))).all()
        array[...] = 1.0
        owner = array.base
        before = owner._memory
        del array, owner
        assert (before == 0xFF).all() and wrong == []
        array = memory.room((3, 5), np.dtype(np.float32))
        owner = array.base
        owner._memory[-1] = 0
        del array, owner
        assert len(wrong) == 1
