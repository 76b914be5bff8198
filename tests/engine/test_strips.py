"""Operations that are computed strip by strip against the same ones on whole arrays."""

from types import SimpleNamespace

import numpy as np
import pytest

from evorrn import Batch, Network, cell, einsum, outer, push, shift
from evorrn.engine.listing import strips

SIZES = {
    "ntm": {"N": 9, "M": 5, "R": 2, "W": 1},
    "ntm-feed-forward": {"N": 6, "M": 4, "R": 1, "W": 2},
    "dnc": {"N": 7, "M": 4, "R": 2},
    "stack": {"K": 3, "D": 11},
}


@cell(state={"h": "H", "m": "H 4", "n": "4 H"}, parameters={"W": "H I", "k": "4", "V": "H 4"})
def moving(p, x, h, m, n):
    """Moves, pads and multiplies arrays of both orders of dimensions."""
    h = np.tanh(p.W @ x + einsum("hk,k->h", m, p.k) + h)
    m = 0.5 * shift(m + 1, -1) + outer(h, p.k) * p.V - 0.1 * m
    return h, m, 0.3 * push(n, h) + 0.5 * einsum("hk,k->kh", m, p.k)


def results(form, dtype, batch, lengths):
    """Return the bytes of fitness, gradient and outputs of a new network."""
    network = Network(2, 2, dtype=dtype, **form)
    genomes = np.stack([network.init(seed=k) for k in range(2)])
    loss, gradient = network.loss_and_gradient(genomes[0], batch)
    assert np.isfinite(loss) and np.isfinite(gradient).all()
    outputs = network.predict(genomes[1], batch.inputs, lengths=lengths)
    return network.fitness(genomes, batch).tobytes(), loss, gradient.tobytes(), outputs.tobytes()


QUICK = [("ntm", "float32"), ("stack", "float64"), ("moving", "float32")]
REST = [(name, dtype) for name in (*SIZES, "moving") for dtype in ("float32", "float64")]
CASES = [*QUICK, *(pytest.param(*case, marks=pytest.mark.thorough) for case in REST if case not in QUICK)]


@pytest.mark.parametrize("name,dtype", CASES)
def test_strips_give_the_bytes_of_whole_arrays(name, dtype, monkeypatch):
    rng = np.random.default_rng([len(name), len(dtype)])
    form = {"cell": moving, "hidden": 9} if name == "moving" else {"cell": name, "hidden": 5}
    form |= {} if name == "moving" else {"cell_options": SIZES[name]}
    sequences, steps = int(rng.integers(18, 40)), int(rng.integers(2, 20))
    lengths = rng.integers(1, steps + 1, sequences)
    x, y = rng.standard_normal((2, sequences, steps, 2))
    batch = Batch(x, y, lengths=lengths)
    found = []
    for large, strip in ((10**9, 10**9), (1, 1), (1, 150), (40, 400)):
        monkeypatch.setattr(strips, "LARGE", large)
        monkeypatch.setattr(strips, "STRIP", strip)
        found.append(results(form, dtype, batch, lengths))
    assert all(one == found[0] for one in found[1:])


def drawn_actions(rng):
    """Return random actions, each of which reads results of earlier ones."""
    actions = []
    for k in range(int(rng.integers(2, 25))):
        reads = frozenset(int(n) for n in rng.integers(0, k + 1, int(rng.integers(0, 4))) if n < k)
        aligned = frozenset(n for n in reads if rng.random() < 0.6)
        cut = strips.Cut(int(rng.integers(2, 4)), aligned) if rng.random() < 0.7 else None
        actions.append(SimpleNamespace(reads=reads, writes=frozenset({k}), cut=cut))
    return actions


@pytest.mark.parametrize("seed", range(30))
def test_groups_keep_the_order_and_a_strip_reads_nothing_but_its_own_of_its_group(seed):
    actions = drawn_actions(np.random.default_rng(seed))
    groups = strips.grouped(actions)
    assert sorted(min(a.writes) for group in groups for a in group) == list(range(len(actions)))
    done = set()
    for group in groups:
        assert len(group) == 1 or len({action.cut.size for action in group}) == 1
        for action in group:
            inside = action.reads - done
            assert not inside or inside <= action.cut.aligned & {min(a.writes) for a in group}
            inside_before = {min(a.writes) for a in group[: group.index(action)]}
            assert inside <= inside_before
        done |= {min(action.writes) for action in group}


@pytest.mark.parametrize("seed", range(10))
def test_what_is_stored_for_a_strip_is_read_by_its_group_alone(seed):
    actions = drawn_actions(np.random.default_rng([1, seed]))
    for group in strips.grouped(actions):
        members = {id(action) for action in group}
        for node, last in strips.temporary(group, actions, {0}).items():
            readers = [action for action in actions if node in action.reads]
            assert node != 0 and all(id(action) in members for action in readers)
            assert all(node not in action.reads for action in group[last + 1 :])


def test_strips_cover_an_array_once():
    for size in (1, 2, 7, 32):
        for numbers in (1, 100, 5000):
            bounds = strips.bounds(size, numbers)
            assert [k for start, stop in bounds for k in range(start, stop)] == list(range(size))


@pytest.mark.parametrize("seed", range(10))
def test_nodes_that_are_needed_at_the_same_time_have_memory_of_their_own(seed):
    rng = np.random.default_rng([2, seed])
    actions = drawn_actions(rng)
    for group in strips.grouped(actions):
        last = strips.temporary(group, actions, ())
        each = {node: int(rng.integers(1, 3)) for node in last}
        slot, rows = strips.slots(group, last, each)
        first = {node: k for k, action in enumerate(group) for node in action.writes}
        assert slot.keys() == last.keys()
        for a in slot:
            assert rows[slot[a]] == each[a]
            for b in slot:
                apart = last[a] < first[b] or last[b] < first[a]
                assert a == b or apart or slot[a] != slot[b]
