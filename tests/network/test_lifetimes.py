"""Addresses and the arrays behind them: copies of batches, arrays that no caller holds, threads, and wrong sizes."""

import copy
import gc
import pickle
import time
import weakref

import numpy as np
import pytest

from evorrn import Batch, Network
from evorrn.base.errors import ShapeError
from evorrn.engine.lanes.listings import Listings
from evorrn.engine.listing.walk import Walk, base
from evorrn.kernels import threads

COPIES = [copy.copy, copy.deepcopy, lambda batch: pickle.loads(pickle.dumps(batch))]


def linked(sequences, steps):
    """Return links of each step to the last two."""
    links = np.arange(steps)[None, :, None] - 1 - np.array([0, 1])
    return np.broadcast_to(np.maximum(links, -1), (sequences, steps, 2))


@pytest.mark.parametrize("cell", ["elman", "recursive"])
@pytest.mark.parametrize("made", COPIES)
def test_a_copy_of_a_batch_has_its_own_packed_arrays(cell, made):
    """The arrays of the original are overwritten, as memory that is used again would be."""
    rng = np.random.default_rng(0)
    network, links = Network(2, 1, cell=cell, hidden=3), linked(40, 5) if cell == "recursive" else None
    batch = Batch(rng.standard_normal((40, 5, 2)), rng.standard_normal((40, 5, 1)), links=links)
    genome = network.init(seed=0)
    wanted = network.loss(genome, batch), network.loss_and_gradient(genome, batch)[1].tobytes()
    other = made(batch)
    for packed in batch.packed.values():
        packed.x[...], packed.targets[...] = np.nan, np.nan
    assert (network.loss(genome, other), network.loss_and_gradient(genome, other)[1].tobytes()) == wanted


def test_the_work_of_a_listing_holds_its_arrays(monkeypatch):
    """Also those that only an address leads to, for a thread that an interrupt left at work."""
    network, works = Network(2, 1, hidden=3), []
    work = Listings.work

    def kept(self, wanted, task, bases, memory=None):
        array = np.array([0])
        works.append((work(self, wanted, task, {**bases, "extra": base(array)}, memory), weakref.ref(array)))
        return works[-1][0]

    monkeypatch.setattr(Listings, "work", kept)
    network.predict(network.init(seed=0), np.ones((40, 3, 2)))
    gc.collect()
    assert works[0][1]() is not None
    works[0] = (None, works[0][1])
    assert works[0][1]() is None


def test_an_interrupted_pass_does_not_return_before_its_threads(monkeypatch):
    """Else the memory of its results is used again while they still write to it."""
    monkeypatch.setattr(threads, "_count", 2)
    network, rng = Network(2, 1, hidden=3), np.random.default_rng(0)
    genome, x = network.init(seed=0), rng.standard_normal((200, 4, 2))
    wanted, part, done = network.predict(genome, x).tobytes(), Walk._part, []

    def slowly(self, first, *rest):
        if first:
            time.sleep(0.1)
        part(self, first, *rest)
        done.append(first)
        if not first:
            raise KeyboardInterrupt

    monkeypatch.setattr(Walk, "_part", slowly)
    with pytest.raises(KeyboardInterrupt):
        network.predict(genome, x)
    assert len(done) == 2
    monkeypatch.setattr(Walk, "_part", part)
    assert network.predict(genome, x).tobytes() == wanted


@pytest.mark.thorough
@pytest.mark.timeout(120)
def test_states_of_genomes_of_which_some_are_mostly_zero(monkeypatch):
    """Their passes are shared among threads, that of the first one is not."""
    monkeypatch.setattr(threads, "_count", 2)
    network, rng = Network(2, 1, hidden=128), np.random.default_rng(0)
    genomes = network.init_many(rng, 5)
    for genome in genomes[1:]:
        weights = network.unpack(genome)["layer0.W_h"]
        weights *= rng.random(weights.shape) < 0.01
    x = rng.standard_normal((16, 5, 2))
    programs = network._programs
    assert [programs.rows.suit(genome, 16) for genome in genomes] == [False, True, True, True, True]
    found = network.population_states(genomes, x)
    assert [states.tobytes() for states in found] == [network.states(g, x).tobytes() for g in genomes]


@pytest.mark.parametrize("shape", [(4, 1), (4, 0), (4, 9), (0, 3), (3,), ()])
def test_the_state_of_a_stepper_has_the_size_of_the_network(shape):
    network = Network(2, 1, hidden=3)
    with pytest.raises(ShapeError, match="state: expected shape"):
        network.stepper(network.init(seed=0), np.zeros(shape))


@pytest.mark.parametrize("same, as_", [(-7, 0), (9, 5), (2**62, 5), (np.uint64(2**64 - 1), 5)])
def test_free_runs_from_before_the_first_step_or_after_the_last_one(same, as_):
    network, rng = Network(2, 1, hidden=3), np.random.default_rng(0)
    genome, x = network.init(seed=0), rng.standard_normal((40, 5, 2))
    first, second = (network.predict(genome, x, free_from=np.full(40, step)) for step in (same, as_))
    assert first.tobytes() == second.tobytes()
