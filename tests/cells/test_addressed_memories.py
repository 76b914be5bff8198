"""What the literature says of neural Turing machines and of the differentiable neural computer."""

import numpy as np
import pytest
from remembering import drawn, set_by_hand, states_after_each_step

import evorrn
from evorrn import Network
from evorrn.cells.dnc import linked, used
from evorrn.cells.ntm import address, by_content, written

BIG = 50.0
ON = np.tanh(1.0)
"""What a unit of an LSTM shows whose memory is 1."""


def draw_heads(rng, heads, rows, width):
    weights = rng.random((heads, rows))
    weights /= weights.sum(axis=1, keepdims=True)
    return rng.standard_normal((rows, width)), weights, rng.standard_normal((heads, width))


# --- Neural Turing machines ------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["ntm", "ntm-feed-forward"])
@pytest.mark.parametrize("seed", range(3))
def test_the_weights_of_every_head_are_shares_of_one_at_every_step(cell, seed):
    network, genome, x, _ = drawn(cell, seed, 1, 40)
    found = states_after_each_step(network, (1 + 4 * seed) * genome, x[0])
    for weights in (found["write"], found["read"]):
        assert (weights >= 0).all()
        np.testing.assert_allclose(weights.sum(axis=2), 1.0, rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_a_head_without_content_and_sharpness_moves_its_weights_by_a_sum_of_rolls(seed):
    rng = np.random.default_rng(seed)
    memory, before, keys = draw_heads(rng, 3, int(rng.integers(1, 9)), 4)
    shifts = evorrn.softmax(rng.standard_normal((3, 3)))
    given = address(memory, before, keys, np.ones(3), np.zeros(3), shifts, np.ones(3))
    for k in range(3):
        wanted = sum(shifts[k, d + 1] * np.roll(before[k], d) for d in (-1, 0, 1))
        np.testing.assert_allclose(given[k], wanted, rtol=1e-12)


def test_a_head_without_content_shift_and_sharpness_keeps_its_weights():
    memory, before, keys = draw_heads(np.random.default_rng(0), 2, 7, 4)
    still = np.tile([0.0, 1.0, 0.0], (2, 1))
    given = address(memory, before, keys, np.ones(2), np.zeros(2), still, np.ones(2))
    np.testing.assert_allclose(given, before, rtol=1e-12)


def test_a_strong_key_finds_the_row_that_points_in_its_direction():
    memory, _, _ = draw_heads(np.random.default_rng(1), 1, 6, 8)
    np.testing.assert_allclose(by_content(memory, 3 * memory, np.full(6, 1e4)), np.eye(6), atol=1e-12)


def test_a_head_that_erases_and_adds_nothing_keeps_the_memory_and_the_order_of_heads_does_not_matter():
    rng = np.random.default_rng(2)
    memory, weights, add = draw_heads(rng, 3, 5, 4)
    nothing = np.zeros((3, 4))
    np.testing.assert_array_equal(written(memory, weights, nothing, nothing), memory)
    erase = rng.random((3, 4))
    turned = written(memory, weights[::-1], erase[::-1], add[::-1])
    np.testing.assert_allclose(written(memory, weights, erase, add), turned, rtol=1e-12)


def test_a_head_on_one_row_that_erases_all_replaces_what_it_held():
    memory, _, add = draw_heads(np.random.default_rng(3), 1, 5, 4)
    given = written(memory, np.eye(5)[[2]], np.ones((1, 4)), add)
    np.testing.assert_array_equal(given[2], add[0])
    np.testing.assert_array_equal(np.delete(given, 2, axis=0), np.delete(memory, 2, axis=0))


def copying_machine(bits, rows, dtype):
    """Return an NTM set by hand to copy vectors of bits, as a genome.

    The units of its controller are the bits, one that is on from the delimiter on, and one that is on from the step
    after it. The writing head moves on at every step and adds the bits. The reading head stays on the first row until
    the delimiter has passed, and moves on from then.
    """
    seen, after, units = bits, bits + 1, bits + 2
    recurrent = np.zeros((units, units))
    recurrent[after, seen] = BIG
    forget = np.full(units, -BIG)
    forget[seen] = BIG
    add, move = np.zeros((1, bits, units)), np.zeros((1, 3, units))
    add[0, :, :bits] = BIG * np.eye(bits)
    move[0, 2, after] = 3 * BIG
    blocks = {
        "W_g": BIG * np.eye(units, bits + 1),
        "U_g": recurrent,
        "b_i": BIG,
        "b_o": BIG,
        "b_f": forget,
        "A": add,
        "e": -BIG,
        "S_r": move,
    }
    blocks |= {"s_r": [[-BIG, 0.0, -BIG]], "s_w": [[-BIG, -BIG, BIG]], "g_r": -BIG, "g_w": -BIG}
    options = {"N": rows, "M": bits, "R": 1, "W": 1}
    network, genome = set_by_hand("ntm", bits + 1, units, options, outputs=bits, dtype=dtype, **blocks)
    network.unpack(genome)["readout.W"][:, units:] = np.eye(bits)
    return network, genome


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_turing_machine_set_by_hand_copies_vectors_of_bits_of_any_number(dtype):
    rng = np.random.default_rng(4)
    for length in (1, 2, 7, 20, 30):
        network, genome = copying_machine(3, 32, dtype)
        drawn_bits = rng.integers(0, 2, (4, length, 3))
        x = np.zeros((4, 2 * length + 1, 4))
        x[:, :length, :3], x[:, length, 3] = drawn_bits, 1.0
        np.testing.assert_allclose(network.predict(genome, x)[:, length + 1 :], drawn_bits, atol=1e-4)


# --- The differentiable neural computer ------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_allocation_goes_to_the_places_used_least_and_sums_to_what_is_not_used_everywhere(seed):
    rng = np.random.default_rng(seed)
    usage = rng.choice([0.0, 0.25, 0.5, 0.9, 1.0], int(rng.integers(1, 9)))
    given = evorrn.allocation(usage)
    assert given.sum() == pytest.approx(1 - np.prod(usage), abs=1e-14)
    left = 1.0
    for place in sorted(range(len(usage)), key=lambda k: (usage[k], k)):
        assert given[place] == pytest.approx((1 - usage[place]) * left, abs=1e-14)
        left *= usage[place]


@pytest.mark.parametrize("seed", range(4))
def test_usage_precedence_and_links_are_shares_and_no_row_comes_after_itself(seed):
    network, genome, x, _ = drawn("dnc", seed, 1, 60, N=6)
    found = states_after_each_step(network, (1 + 3 * seed) * genome, x[0])
    link, small = found["link"], 1e-12
    for share in (found["usage"], link.sum(axis=1), link.sum(axis=2), found["precedence"].sum(axis=1)):
        assert (-small <= share).all() and (share <= 1 + small).all()
    assert (link >= -small).all() and not np.diagonal(link, axis1=1, axis2=2).any()
    for weights in (found["write"], found["read"].sum(axis=1) / found["read"].shape[1]):
        assert (weights >= -small).all() and (weights.sum(axis=1) <= 1 + small).all()


def test_a_row_that_is_read_with_an_open_gate_is_free_again():
    usage, nothing = np.array([1.0, 0.7, 0.2]), np.zeros(3)
    read = np.eye(3)[[0, 1]]
    np.testing.assert_allclose(used(usage, nothing, read, np.array([1.0, 0.0])), [0.0, 0.7, 0.2])
    np.testing.assert_allclose(used(usage, np.eye(3)[2], read, np.zeros(2)), [1.0, 0.7, 1.0])


def test_a_link_goes_from_the_row_written_last_to_the_one_written_now():
    different, rows = 1 - np.eye(3), np.eye(3)
    link = linked(np.zeros((3, 3)), np.zeros(3), rows[0], different)
    assert not link.any()
    link = linked(link, rows[0], rows[2], different)
    np.testing.assert_array_equal(link, np.outer(rows[2], rows[0]))
    link = linked(link, rows[2], rows[0], different)  # what led to and from row 0 before is gone
    np.testing.assert_array_equal(link, np.outer(rows[0], rows[2]))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_vectors_are_read_forwards_and_backwards_in_the_order_in_which_they_were_written(order):
    """Inputs: write one of three vectors, find the first one by its content, read forwards, read backwards."""
    find, ahead, back = 3, 4, 5
    gate, modes, value = np.zeros((1, 6)), np.zeros((1, 3, 6)), np.zeros((3, 6))
    gate[0, :3] = 3 * BIG
    value[:, :3] = np.eye(3) / ON
    modes[0, 0, back], modes[0, 1, find], modes[0, 2, ahead] = BIG, BIG, BIG
    blocks = {
        "W_g": BIG * np.eye(6),
        "b_i": BIG,
        "b_o": BIG,
        "b_f": -BIG,
        "V": value,
        "e": BIG,
        "Q": modes,
        "G": gate,
    }
    blocks |= {"a": BIG, "g": -BIG, "f": -BIG, "k_r": [np.eye(3)[order[0]]], "b_r": 100.0}
    network, genome = set_by_hand("dnc", 6, 6, {"N": 5, "M": 3, "R": 1}, **blocks)
    steps = [*order, find, ahead, ahead, back, back]
    read = states_after_each_step(network, genome, np.eye(6)[steps])["r"][3:, 0]
    wanted = np.eye(3)[[order[k] for k in (0, 1, 2, 1, 0)]]
    np.testing.assert_allclose(read, wanted, atol=1e-4)


# --- Numbers that are not finite -------------------------------------------------------------------------


def finite_after(cell, steps, scale):
    network = Network(2, 1, cell=cell, hidden=4, cell_options={"N": 6, "M": 3, "R": 2})
    rng = np.random.default_rng([steps, int(scale)])
    genome = scale * rng.standard_normal(network.size)
    x = scale * rng.standard_normal((50, steps // 50, 2))
    y, state = network.predict(genome, x, return_state=True)
    return bool(np.isfinite(y).all() and np.isfinite(state).all())


@pytest.mark.parametrize("scale", [1.0, 10.0, 1000.0])
@pytest.mark.parametrize("cell", ["ntm", "ntm-feed-forward", "dnc"])
def test_large_weights_and_inputs_give_finite_numbers_in_single_precision(cell, scale):
    assert finite_after(cell, 20_000, scale)


@pytest.mark.thorough
@pytest.mark.parametrize("scale", [1.0, 10.0, 1000.0])
@pytest.mark.parametrize("cell", ["ntm", "ntm-feed-forward", "dnc"])
def test_a_million_steps_give_finite_numbers_in_single_precision(cell, scale):
    assert finite_after(cell, 1_000_000, scale)


@pytest.mark.parametrize("cell", ["ntm", "ntm-feed-forward", "dnc"])
def test_the_gradient_is_finite_where_weights_of_heads_are_0_and_rows_are_equal(cell):
    """Large weights make gates and shifts 0 or 1; memories start with rows that are equal or 0."""
    network = Network(2, 1, cell=cell, hidden=4, cell_options={"N": 6, "M": 3, "R": 2})
    rng = np.random.default_rng(5)
    for scale in (0.0, 1.0, 30.0):
        genome = scale * rng.standard_normal(network.size)
        x = rng.standard_normal((3, 8, 2))
        assert np.isfinite(network.vjp(genome, x, rng.standard_normal((3, 8, 1)))).all()
