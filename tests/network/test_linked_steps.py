"""Networks whose steps see predecessors: against plain NumPy node by node, differences, and ordinary chains."""

import numpy as np
import pytest
from naive_linked import draw_links, outputs, tree_links

import evorrn
from evorrn import maximum, tanh, trees
from evorrn.base.errors import ConfigError, DataError, ShapeError
from evorrn.kernels import threads

NAMES = ("recursive", "rntn", "tree-lstm", "grid-lstm")


@evorrn.cell(state={"h": "H", "m": "H"}, parameters={"W": "H I", "U V Q": "H H", "b": "H"}, output="m")
def three(p, x, a, b, c, *, gain=0.5):
    """Three predecessors, two states, an output that is not the first, and a number of each node that is used."""
    h = tanh(p.W @ x + p.U @ a.h + p.V @ b.m + gain * c.there * p.b)
    return h, h * maximum(a.there, c.there) + p.Q @ c.h - b.h


def drawn(rng, cell, shape, dtype="float64", **settings):
    """Return a network, a genome, inputs, lengths and links."""
    sizes = {"inputs": int(rng.integers(1, 4)), "outputs": int(rng.integers(1, 4))}
    network = evorrn.Network(
        **sizes, cell=cell, dtype=dtype, **{"hidden": int(rng.integers(1, 6)), **settings}
    )
    genome = (network.init(rng=rng) + 0.2 * rng.standard_normal(network.size)).astype(dtype)
    lengths = rng.integers(1, shape[1] + 1, shape[0])
    x = rng.standard_normal((*shape, network.inputs)) * (rng.random((*shape, 1)) < 0.7)
    return network, genome, x, lengths, draw_links(rng, lengths, shape[1], len(network.cell.predecessors))


@pytest.mark.parametrize("cell", [*NAMES, three])
@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (7, 1), (9, 7), (70, 5)])
def test_outputs_and_states_equal_those_computed_node_by_node(cell, shape):
    rng = np.random.default_rng([*shape, len(str(cell))])
    network, genome, x, lengths, links = drawn(rng, cell, shape)
    wanted, seen = outputs(network, genome, x, lengths, links)
    about = {"lengths": lengths, "links": links}
    np.testing.assert_allclose(network.predict(genome, x, **about), wanted, atol=1e-12)
    if cell is not three:
        np.testing.assert_allclose(network.states(genome, x, **about), seen, atol=1e-12)


@pytest.mark.parametrize("cell", NAMES)
def test_stacked_layers_direct_connections_and_absent_biases_equal_those_computed_node_by_node(cell):
    rng = np.random.default_rng(3)
    for settings in ({"hidden": (3, 4)}, {"direct": True}, {"hidden": (2, 2), "biases": False}):
        network, genome, x, lengths, links = drawn(rng, cell, (5, 6), **settings)
        wanted, _ = outputs(network, genome, x, lengths, links)
        np.testing.assert_allclose(
            network.predict(genome, x, lengths=lengths, links=links), wanted, atol=1e-12
        )


@pytest.mark.parametrize("cell", [*NAMES, three])
@pytest.mark.parametrize("labels", [False, True])
def test_loss_and_gradient_equal_differences_and_vjp_and_fitness_agree(cell, labels):
    rng = np.random.default_rng([labels, 7])
    loss = "cross-entropy" if labels else "mse"
    network, genome, x, lengths, links = drawn(rng, cell, (6, 7), loss=loss)
    targets = (
        rng.integers(0, network.outputs, (6, 7)) if labels else rng.standard_normal((6, 7, network.outputs))
    )
    mask = rng.random((6, 7)) < 0.6
    mask[:, 0] = True
    batch = evorrn.Batch(x, targets, mask=mask, lengths=lengths, links=links)
    value, gradient = network.loss_and_gradient(genome, batch)
    assert value == pytest.approx(network.loss(genome, batch), rel=1e-12)
    assert value == pytest.approx(-network.fitness(genome[None], batch)[0], rel=1e-12)
    direction = rng.standard_normal(network.size)
    ahead, behind = (network.loss(genome + step * direction, batch) for step in (1e-6, -1e-6))
    assert gradient @ direction == pytest.approx((ahead - behind) / 2e-6, rel=1e-6, abs=1e-9)
    numbers = np.eye(network.size)[:: max(1, network.size // 12)]
    for unit in numbers:
        ahead, behind = (network.loss(genome + step * unit, batch) for step in (1e-6, -1e-6))
        assert gradient @ unit == pytest.approx((ahead - behind) / 2e-6, rel=1e-5, abs=1e-8)
    if not labels:
        y = network.predict(genome, x, lengths=lengths, links=links)
        given = np.where(batch.scored[:, :, None], 2 * (y - batch.targets), 0) / (
            batch.scored.sum() * network.outputs
        )
        found = network.vjp(genome, x, given, lengths=lengths, links=links)
        np.testing.assert_allclose(found, gradient, atol=1e-12)


@pytest.mark.parametrize("cell", NAMES)
def test_a_population_has_the_losses_of_its_members_to_the_byte_for_any_number_of_threads(cell):
    rng = np.random.default_rng(5)
    network, _, x, lengths, links = drawn(rng, cell, (40, 9), dtype="float32")
    batch = evorrn.Batch(x, rng.standard_normal((40, 9, network.outputs)), lengths=lengths, links=links)
    genomes = network.init_many(rng, 5)
    one = [network.sequence_losses(genome[None], batch)[0] for genome in genomes]
    found, before = [], threads.get_threads()
    for count in (1, 3):
        evorrn.set_threads(count)
        gradient = network.loss_and_gradient(genomes[0], batch)[1]
        found.append((network.sequence_losses(genomes, batch), gradient.tobytes()))
    evorrn.set_threads(before)
    assert all((losses == np.array(one)).all() for losses, _ in found)
    assert found[0][1] == found[1][1]


@pytest.mark.parametrize("cell", NAMES)
def test_float32_is_near_float64_on_many_trees_of_different_shapes(cell):
    rng = np.random.default_rng(11)
    shapes = [tree_links(rng, int(count)) for count in rng.integers(1, 30, 60)]
    lengths = np.array([len(links) for links in shapes])
    links = np.full((60, lengths.max(), 2), -1)
    for row, each in enumerate(shapes):
        links[row, : len(each)] = each
    x = rng.standard_normal((60, lengths.max(), 3)) * (links < 0).all(axis=2)[:, :, None]
    targets = rng.integers(0, 2, 60)
    found = {}
    for dtype in ("float32", "float64"):
        network = evorrn.Network(3, 2, cell=cell, hidden=5, dtype=dtype, loss="cross-entropy")
        batch = evorrn.Batch(x, targets, lengths=lengths, links=links)
        genome = network.init(seed=0)
        found[dtype] = (
            network.predict(genome, x, lengths=lengths, links=links),
            *network.loss_and_gradient(genome, batch),
        )
    wanted, _ = outputs(network, genome, x, lengths, links)
    np.testing.assert_allclose(found["float64"][0], wanted, atol=1e-12)
    for single, double in zip(*found.values()):
        np.testing.assert_allclose(single, double, atol=2e-4)


@evorrn.cell(state={"h": "H"}, parameters={"W_x": "H I", "W_h": "H H", "b": "H"})
def linked_elman(p, x, last):
    """The cell `elman` with its last step as a predecessor."""
    return tanh(p.W_x @ x + p.W_h @ last.h + p.b)


def test_a_chain_given_as_links_equals_the_ordinary_chain():
    rng = np.random.default_rng(2)
    settings = {"hidden": (4, 3), "dtype": "float64"}
    chain = evorrn.Network(2, 2, cell="elman", **settings)
    linked = evorrn.Network(2, 2, cell=linked_elman, **settings)
    genome, x, lengths = chain.init(seed=1), rng.standard_normal((12, 9, 2)), rng.integers(1, 10, 12)
    links = np.broadcast_to(np.arange(-1, 8)[None, :, None], (12, 9, 1))
    targets = rng.standard_normal((12, 9, 2))
    batches = [evorrn.Batch(x, targets, lengths=lengths, links=each) for each in (None, links)]
    found = [net.loss_and_gradient(genome, batch) for net, batch in zip((chain, linked), batches)]
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-12)
    np.testing.assert_allclose(found[0][1], found[1][1], atol=1e-12)
    np.testing.assert_allclose(
        linked.predict(genome, x, lengths=lengths, links=links),
        chain.predict(genome, x, lengths=lengths),
        atol=1e-12,
    )


def test_a_grid_of_one_row_is_an_ordinary_lstm_and_a_transposed_grid_needs_exchanged_weights():
    rng = np.random.default_rng(4)
    lstm = evorrn.Network(2, 1, cell="lstm", hidden=3, dtype="float64")
    grid = evorrn.Network(2, 1, cell="grid-lstm", hidden=3, dtype="float64")
    genome = grid.init(seed=0) + 0.1 * rng.standard_normal(grid.size)
    blocks = grid.unpack(genome)
    names = {"W_f": "W_fl", "b_f": "b_fl", "U_i": "U_il", "U_f": "U_fll", "U_g": "U_gl", "U_o": "U_ol"}
    same = {
        name: blocks[name.replace(n, names.get(n, n))] for name in lstm.blocks for n in [name.split(".")[1]]
    }
    x = rng.standard_normal((3, 7, 2))
    order, links = trees.scan(1, 7)
    found = grid.predict(genome, x[:, order], links=np.repeat(links[None], 3, axis=0))
    np.testing.assert_allclose(found, lstm.predict(lstm.pack(same), x), atol=1e-12)
    pixels = rng.standard_normal((1, 3, 4, 2))
    turn = str.maketrans("ul", "lu")
    swap = {name: blocks[name[:7] + name[7:].translate(turn) if "layer" in name else name] for name in blocks}
    plain = grid.predict(genome, pixels.reshape(1, 12, 2), links=trees.scan(3, 4)[1][None]).reshape(3, 4)
    turned = pixels.transpose(0, 2, 1, 3).reshape(1, 12, 2)
    other = grid.predict(grid.pack(swap), turned, links=trees.scan(4, 3)[1][None]).reshape(4, 3)
    np.testing.assert_allclose(plain, other.T, atol=1e-12)


@pytest.mark.parametrize("corner", ["top-left", "top-right", "bottom-left", "bottom-right"])
def test_the_four_scan_orders_of_a_grid_are_those_of_the_flipped_picture(corner):
    rng = np.random.default_rng(6)
    network = evorrn.Network(1, 1, cell="grid-lstm", hidden=3, dtype="float64")
    genome, picture = network.init(seed=0), rng.standard_normal((3, 4))
    order, links = trees.scan(3, 4, corner)
    found = np.empty(12)
    found[order] = network.predict(genome, picture.reshape(1, 12, 1)[:, order], links=links[None])[0, :, 0]
    flips = [axis for axis, side in ((0, "bottom"), (1, "right")) if side in corner]
    wanted = network.predict(
        genome, np.flip(picture, flips).reshape(1, 12, 1), links=trees.scan(3, 4)[1][None]
    )
    np.testing.assert_allclose(found.reshape(3, 4), np.flip(wanted.reshape(3, 4), flips), atol=1e-12)


def test_a_tensor_of_zeros_makes_the_tensor_network_a_recursive_network():
    rng = np.random.default_rng(8)
    plain = evorrn.Network(3, 2, cell="recursive", hidden=4, dtype="float64")
    tensor = evorrn.Network(3, 2, cell="rntn", hidden=4, dtype="float64")
    genome, links = plain.init(seed=0), tree_links(rng, 9)[None]
    blocks = {**plain.unpack(genome), "layer0.V": np.zeros((4, 8, 8))}
    x = rng.standard_normal((1, 17, 3))
    np.testing.assert_allclose(
        tensor.predict(tensor.pack(blocks), x, links=links), plain.predict(genome, x, links=links), atol=1e-13
    )


def test_what_needs_a_last_step_is_refused_in_a_sentence_for_linked_steps():
    network = evorrn.Network(2, 2, cell="recursive", hidden=3)
    genome, x, links = network.init(seed=0), np.ones((1, 3, 2)), [[[-1, -1], [-1, -1], [0, 1]]]
    batch = evorrn.Batch(x, np.zeros((1, 3, 2)), links=links)
    for call, words in (
        (lambda: network.predict(genome, x), "expected links .B, T, 2., got none"),
        (lambda: network.predict(genome, x, links=[[[-1], [0], [1]]]), "expected links .B, T, 2., got 1"),
        (
            lambda: network.predict(genome, x, links=links, return_state=True),
            "linked steps, of which none is the last",
        ),
        (lambda: network.predict(genome, x, links=links, state=np.zeros((1, 3))), "none is the last"),
        (lambda: network.predict(genome, x, links=links, free_from=np.zeros(1, int)), "none is the last"),
        (lambda: network.loss_and_gradient(genome, batch, return_state=True), "none is the last"),
        (lambda: network.influence(genome, x), "got none|none is the last"),
        (lambda: network.jacobian(genome, x), "got none|none is the last"),
        (lambda: network.to_onnx(genome, "never.onnx"), "none is the last"),
        (
            lambda: evorrn.Network(2, 2, cell="recursive", feedback=True, learn_start=True),
            "feedback: expected false",
        ),
        (lambda: evorrn.Network(2, 2).loss(np.zeros(372), batch), "takes no links"),
        (lambda: network.simulate(genome[None], evorrn.task("bandit"), np.zeros((1, 1))), "none is the last"),
    ):
        with pytest.raises((ShapeError, ConfigError, DataError), match=words):
            call()


def test_layers_whose_cells_see_different_numbers_of_predecessors_are_refused():
    for cells in (["recursive", "lstm"], ["elman", linked_elman], [three, "rntn"]):
        with pytest.raises(
            ConfigError, match="expected cells that see equally many predecessors in all layers"
        ):
            evorrn.Network(2, 2, cell=cells, hidden=(3, 3))
    with pytest.raises(ConfigError, match="linked steps, which does not go with bidirectional"):
        evorrn.Network(2, 2, cell="recursive", bidirectional=True)


def test_layers_of_different_cells_on_linked_steps_equal_those_of_one_layer_after_the_other():
    rng = np.random.default_rng(9)
    both = evorrn.Network(2, 2, cell=["recursive", "tree-lstm"], hidden=(3, 4), dtype="float64")
    genome, x = both.init(seed=0), rng.standard_normal((5, 6, 2))
    links = draw_links(rng, np.full(5, 6), 6, 2)
    first = evorrn.Network(2, 1, cell="recursive", hidden=3, dtype="float64")
    second = evorrn.Network(3, 2, cell="tree-lstm", hidden=4, dtype="float64")
    blocks = both.unpack(genome)
    below = first.pack(
        {**first.unpack(first.init(seed=1)), **{n: blocks[n] for n in first.blocks if "layer0" in n}}
    )
    above = second.pack({n: blocks[n.replace("layer0", "layer1")] for n in second.blocks})
    seen = first.states(below, x, links=links)
    np.testing.assert_allclose(
        both.predict(genome, x, links=links), second.predict(above, seen, links=links), atol=1e-12
    )


def test_mistakes_in_cells_with_predecessors_are_told():
    with pytest.raises(evorrn.EvorrnError, match=r"state of the predecessor left 'k' \(known: h, there"):

        @evorrn.cell(state={"h": "H"}, parameters={"W": "H H"})
        def wrong(p, x, left):
            return p.W @ left.k

    with pytest.raises(evorrn.EvorrnError, match="start: expected none"):

        @evorrn.cell(state={"h": "H"}, parameters={"W": "H H"}, start={"h": 1.0})
        def started(p, x, left):
            return p.W @ left.h

    with pytest.raises(evorrn.EvorrnError, match="state there"):

        @evorrn.cell(state={"there": "H"}, parameters={"W": "H H"})
        def named(p, x, left):
            return p.W @ left.there


def test_a_result_predicts_trees_with_their_links():
    rng = np.random.default_rng(0)
    x, links = rng.normal(size=(3, 4, 2)), np.array([[[-1, -1], [-1, -1], [0, 1], [2, -1]]] * 3)
    network = evorrn.Network(2, 1, cell="recursive", hidden=3)
    batch = evorrn.Batch(x, x[:, :, :1], links=links)
    result = evorrn.GeneticAlgorithm(population=3).fit(network, batch, budget="1gen")
    assert np.array_equal(result.predict(x, links=links), network.predict(result.genome, x, links=links))
    assert np.array_equal(result.predict(x[0], links=links[0]), result.predict(x, links=links)[0])
    with pytest.raises(evorrn.EvorrnError, match="expected links"):
        result.predict(x)
