"""Cells with external memories beside their equations written entry by entry."""

import naive_memories
import numpy as np
import pytest
from remembering import drawn, set_by_hand, states_after_each_step

from evorrn.cells.pushdown import popped, top

CELLS = sorted(naive_memories.CELLS)


def by_hand(network, genome, x, lengths, step=0.0):
    """Return the outputs with the equations of the paper, for a genome with `step` as its imaginary part."""
    sizes = {"I": network.inputs, "H": network.hidden[0], **network.cell_options}
    blocks, steps = network.unpack(genome), network.unpack(step + 0.0 * genome)
    moved = {name: block + 1j * steps[name] for name, block in blocks.items()}
    return naive_memories.outputs(network.cell, moved, sizes, x, lengths)


@pytest.mark.parametrize(("sequences", "steps"), [(1, 1), (1, 12), (37, 5), (3, 9)])
@pytest.mark.parametrize("cell", CELLS)
def test_the_compiled_network_equals_the_equations_of_the_paper(cell, sequences, steps):
    """One step, one sequence, several tiles and ragged lengths, each of other sizes."""
    network, genome, x, lengths = drawn(cell, sequences, sequences, steps)
    given = network.predict(genome, x, lengths=lengths)
    np.testing.assert_allclose(given, by_hand(network, genome, x, lengths).real, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("sequences", "steps"), [(1, 1), (2, 10), (35, 3)])
@pytest.mark.parametrize("cell", CELLS)
def test_the_gradient_equals_a_complex_step_through_the_equations(cell, sequences, steps):
    network, genome, x, lengths = drawn(cell, 100 + sequences, sequences, steps)
    rng = np.random.default_rng(1)
    cotangent = rng.standard_normal((sequences, steps, network.outputs))
    cotangent[np.arange(steps) >= lengths[:, None]] = 0.0
    slope = network.vjp(genome, x, cotangent, lengths=lengths)
    for _ in range(3):
        direction = rng.standard_normal(network.size)
        moved = by_hand(network, genome, x, lengths, 1e-30 * direction)
        wanted = (cotangent * moved.imag / 1e-30).sum()
        assert slope @ direction == pytest.approx(wanted, rel=1e-10, abs=1e-10)


# --- Stacks beside a Python list -------------------------------------------------------------------------


def lists_after_each_step(symbols, values, depth=1000):
    """Return a Python list, its top last, after each step; symbol k pushes values[k], the next one pops."""
    found, kept = [], []
    for symbol in symbols:
        if symbol < len(values):
            kept = [*kept, values[symbol]][-depth:]
        elif symbol == len(values):
            kept = kept[:-1]
        found.append(kept)
    return found


@pytest.mark.parametrize("seed", range(3))
def test_a_stack_that_pushes_and_pops_by_0_or_1_is_a_list(seed):
    """Symbols: push 0, push 1, pop, do nothing. What is pushed out of a full stack is lost."""
    rng = np.random.default_rng(seed)
    depth, symbols = int(rng.integers(2, 12)), rng.choice(4, 200, p=[0.27, 0.27, 0.4, 0.06])
    actions = np.array([[[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]])
    network, genome = set_by_hand(
        "stack",
        4,
        4,
        {"K": 1, "D": depth},
        W_x=2000 * np.eye(4),
        b=-1000,
        A=1000 * actions,
        V=[[-1000, 1000, 0, 0]],
    )
    given = states_after_each_step(network, genome, np.eye(network.inputs)[symbols])["stack"][:, :, 0]
    for stack, kept in zip(given, lists_after_each_step(symbols, [0.0, 1.0], depth)):
        np.testing.assert_array_equal(stack, (kept[::-1] + [-1.0] * depth)[:depth])


@pytest.mark.parametrize("seed", range(3))
def test_a_continuous_stack_that_pushes_and_pops_by_0_or_1_reads_the_top_of_a_list(seed):
    """Symbols: push 1, push -1, pop, do nothing; an empty stack reads as 0."""
    rng = np.random.default_rng(seed)
    symbols = rng.choice(4, 60, p=[0.27, 0.27, 0.4, 0.06])
    big = 1000.0
    network, genome = set_by_hand(
        "pushdown",
        4,
        4,
        {"T": 60, "M": 1},
        W_g=big * np.eye(4),
        b_i=big,
        b_f=-big,
        b_o=big,
        D=[[2 * big, 2 * big, 0, 0]],
        d=-big,
        P=[[0, 0, 2 * big, 0]],
        u=-big,
        V=[[big, -big, 0, 0]],
    )
    given = states_after_each_step(network, genome, np.eye(network.inputs)[symbols])["r"][:, 0]
    wanted = [kept[-1] if kept else 0.0 for kept in lists_after_each_step(symbols, [1.0, -1.0])]
    np.testing.assert_array_equal(given, wanted)


@pytest.mark.parametrize("seed", range(3))
def test_a_pushdown_automaton_that_pushes_and_pops_by_0_or_1_reads_the_top_of_a_list(seed):
    """Symbols: push this symbol (two of them), pop, do nothing."""
    symbols = np.random.default_rng(seed).choice(4, 60, p=[0.27, 0.27, 0.4, 0.06])
    actions = 1000.0 * np.array([[[1, 1, -1, 0]]])
    network, genome = set_by_hand("pushdown-automaton", 4, 1, {"T": 60}, A_x=actions, b=1000.0)
    given = states_after_each_step(network, genome, np.eye(network.inputs)[symbols])["r"]
    tops = lists_after_each_step(symbols, list(np.eye(4)[:2]))
    np.testing.assert_array_equal(given, [kept[-1] if kept else np.zeros(4) for kept in tops])


def test_parts_of_entries_are_popped_and_read_as_in_figure_1_of_grefenstette():
    above, values = np.tril(np.ones((3, 3)), -1), np.eye(3)
    strengths, reads = np.zeros(3), []
    for k, (pop, push) in enumerate([(0.0, 0.8), (0.1, 0.5), (0.9, 0.9)]):
        strengths = np.append(push, popped(strengths, pop, above)[:-1])
        reads.append(top(strengths, np.roll(values[::-1], k + 1, axis=0), above))
    np.testing.assert_allclose(strengths, [0.9, 0.0, 0.3], atol=1e-15)
    np.testing.assert_allclose(reads, [[0.8, 0, 0], [0.5, 0.5, 0], [0.1, 0, 0.9]], atol=1e-15)


def test_what_was_pushed_more_steps_ago_than_the_stack_has_entries_is_lost():
    """Eight steps that push the one input symbol, then steps that pop: of six entries each takes one and moves one out."""
    symbols = [0] * 8 + [1] * 8
    actions = 1000.0 * np.array([[[1, -1]]])
    for steps, left in ((20, 8), (6, 3)):
        network, genome = set_by_hand("pushdown-automaton", 2, 1, {"T": steps}, A_x=actions, b=1000.0)
        given = states_after_each_step(network, genome, np.eye(network.inputs)[symbols])["r"][8:, 0]
        np.testing.assert_array_equal(given, np.arange(1, 9) < left)
