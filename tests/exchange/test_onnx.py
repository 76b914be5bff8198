"""ONNX models, run by onnxruntime, against plain NumPy and against `predict`: cells, forms, sizes and lengths drawn at random."""

import json
import sys
from types import SimpleNamespace

import naive
import numpy as np
import pytest
from chains import CHAINS
from runtime import by_hand, close, draw, draw_batch, run

import evorrn
from evorrn.base.errors import ConfigError, EvorrnError, ShapeError
from evorrn.data.task import Scaling
from evorrn.exchange.onnx import model
from evorrn.exchange.onnx.expressions import EXPRESSIONS
from evorrn.network.network import Network

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

NODES = {"elman": "RNN", "lstm": "LSTM", "gru": "GRU", "gru-reset-before": "GRU"}


def ops(path):
    return [node.op_type for node in onnx.load(path).graph.node]


@pytest.mark.parametrize("cell", sorted(naive.CELLS))
@pytest.mark.parametrize("seed", range(4))
def test_onnxruntime_computes_what_plain_numpy_does(cell, seed, tmp_path):
    rng = np.random.default_rng([seed, *cell.encode()])
    network, genome = draw(rng, cell)
    network.to_onnx(genome, tmp_path / "model.onnx")
    x, ends, state = draw_batch(rng, network)
    last = np.zeros(state.shape)
    blocks = {name: block.astype(np.float64) for name, block in network.unpack(genome).items()}
    wanted = by_hand(network, cell, blocks, x, ends, begin=state.astype(np.float64), ends=last)
    y, after = run(tmp_path / "model.onnx", x=x, lengths=ends, state=state)
    close(y, wanted, network.dtype)
    close(after, last, network.dtype)


QUICK = ("elman", "lstm", "clockwork", "stack", "ntm-feed-forward")
"""Cells that stand for the others in the quick tests: each cell compiles programs of its own."""
EVERY = [pytest.param(name, marks=() if name in QUICK else pytest.mark.thorough) for name in CHAINS]


@pytest.mark.parametrize("cell", EVERY)
@pytest.mark.parametrize("seed", range(2))
def test_every_cell_of_evorrn_computes_what_predict_does_with_and_without_its_optional_inputs(
    cell, seed, tmp_path
):
    rng = np.random.default_rng([seed, *cell.encode()])
    network, genome = draw(rng, cell)
    network.to_onnx(genome, tmp_path / "model.onnx")
    x, ends, state = draw_batch(rng, network)
    given = {"lengths": ends}
    if rng.integers(2):
        x, given = np.nan_to_num(x), {}
    if rng.integers(2):
        given["state"] = state
    wanted, last = network.predict(genome, x, return_state=True, **given)
    y, after = run(tmp_path / "model.onnx", x=x, **given)
    close(y, wanted, network.dtype)
    close(after, last, network.dtype)


@pytest.mark.parametrize("cell", sorted(NODES))
def test_stacked_layers_that_onnx_has_are_its_nodes_and_others_a_scan(cell, tmp_path):
    path = tmp_path / "model.onnx"
    network = Network(2, 3, cell=cell, hidden=(4, 3), direct=True, reads="all")
    network.to_onnx(network.init(seed=0), path)
    assert [op for op in ops(path) if op in (*NODES.values(), "Scan")] == [NODES[cell]] * 2
    for settings in ({"feedback": True}, {"dtype": "float64"}):
        network = Network(2, 3, cell=cell, hidden=4, **settings)
        network.to_onnx(network.init(seed=0), path)
        assert "Scan" in ops(path) and NODES[cell] not in ops(path)


@pytest.mark.parametrize("activation", sorted(naive.ACTIVATIONS))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("cell", ["elman", "leaky"])
def test_every_activation_of_small_and_large_numbers(activation, dtype, cell, tmp_path):
    network = Network(1, 1, cell=cell, hidden=1, dtype=dtype, cell_options={"activation": activation})
    blocks = {name: np.zeros(shape) for name, shape in network.blocks.items()}
    genome = network.pack({**blocks, "layer0.W_x": np.ones((1, 1)), "readout.W": np.ones((1, 1))})
    network.to_onnx(genome, tmp_path / "model.onnx")
    x = np.array([0, -0.0, 1e-6, -1e-6, 0.3, -0.3, 1, -1, 3, -3, 20, -20, 80, -80, 200, -200], dtype)
    y, _ = run(tmp_path / "model.onnx", x=x[:, None, None])
    close(y, network.predict(genome.astype(dtype), x[:, None, None]), network.dtype)


@pytest.mark.parametrize(
    "loss,fed_back",
    [
        ("mse", "output"),
        *(
            (loss, kind)
            for loss in ("cross-entropy", "binary-cross-entropy")
            for kind in ("output", "probability", "bit")
        ),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_network_that_sees_its_output_is_taught_and_goes_on_by_itself(loss, fed_back, dtype, tmp_path):
    rng = np.random.default_rng(0)
    network = Network(2, 3, cell="gru", hidden=4, feedback=True, loss=loss, fed_back=fed_back, dtype=dtype)
    genome = network.init(seed=1)
    network.to_onnx(genome, tmp_path / "model.onnx")
    x, ends, state = draw_batch(rng, network)
    teacher = np.where(rng.random((*x.shape[:2], 3)) < 0.5, np.nan, rng.random((*x.shape[:2], 3)))
    given = {"lengths": ends, "state": state, "teacher": teacher.astype(dtype)}
    wanted, last = network.predict(genome, x, return_state=True, **given)
    y, after = run(tmp_path / "model.onnx", x=x, **given)
    close(y, wanted, network.dtype)
    close(after, last, network.dtype)


@pytest.mark.parametrize("settings", [{}, {"direct": True}, {"cell": "jordan", "feedback": False}])
def test_a_network_without_inputs_generates_its_series(settings, tmp_path):
    network = Network(0, 2, **{"cell": "elman", "hidden": 5, "feedback": True, **settings})
    genome = network.init(seed=3)
    network.to_onnx(genome, tmp_path / "model.onnx")
    x = np.zeros((3, 8, 0), np.float32)
    state = np.random.default_rng(0).standard_normal((3, network.state_size)).astype(np.float32)
    y, _ = run(tmp_path / "model.onnx", x=x, state=state)
    close(y, network.predict(genome, x, state), network.dtype)


@pytest.mark.parametrize("cell", ["lstm", "leaky", "jordan"])
def test_steps_one_by_one_with_the_state_equal_the_whole(cell, tmp_path):
    network = Network(2, 1, cell=cell, hidden=(3, 4))
    genome = network.init(seed=0)
    network.to_onnx(genome, tmp_path / "model.onnx")
    x = np.random.default_rng(0).normal(size=(3, 6, 2)).astype(np.float32)
    whole, last = run(tmp_path / "model.onnx", x=x)
    state, parts = np.zeros((1, network.state_size), np.float32), []  # one state for all sequences
    for step in range(6):
        y, state = run(tmp_path / "model.onnx", x=x[:, step : step + 1], state=state)
        parts.append(y)
    close(np.concatenate(parts, axis=1), whole, network.dtype)
    close(state, last, network.dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", ["mse", "cross-entropy"])
def test_with_a_scaling_the_model_is_in_original_units(dtype, loss, tmp_path):
    rng = np.random.default_rng(0)
    network = Network(3, 2, cell="lstm", hidden=4, dtype=dtype, loss=loss)
    trained = evorrn.Model(
        network.init(seed=0),
        network,
        Scaling(*(1e6 * rng.random(n) for n in (3, 3, 2, 2))),
        1,
        ("a",) * 3,
        ("ü",),
    )
    trained.to_onnx(tmp_path / "model.onnx")
    x = 1e6 * rng.random((4, 5, 3))
    y, _ = run(tmp_path / "model.onnx", x=x)
    wanted = trained.predict(x)
    assert y.dtype == np.float64
    np.testing.assert_allclose(y, wanted, atol=1e-5 * np.abs(wanted).max())
    notes = {
        entry.key: json.loads(entry.value) for entry in onnx.load(tmp_path / "model.onnx").metadata_props
    }
    assert notes["input_names"] == ["a"] * 3 and notes["output_names"] == ["ü"]
    again = Network.from_settings(notes["network"])
    np.testing.assert_array_equal(
        again.predict(trained.genome, x / 1e6), network.predict(trained.genome, x / 1e6)
    )


@evorrn.cell(state={"h": "H", "k": "H"}, parameters={"W": "H I", "Q": "H H H", "u v b": "H"})
def odd(p, x, h, k, *, rate=0.25):
    """A cell with products of weights alone, a state that no input changes, a quotient, and a quadratic form."""
    gate = evorrn.sigmoid(p.u * p.v + rate)
    square = evorrn.einsum("kij,i,j->k", p.Q, h, h)
    h = evorrn.tanh(gate * (p.W @ x) + square - h / (1 + evorrn.exp(-p.b))) - rate
    return h, p.u + p.v


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_cell_of_the_users_own_with_what_depends_on_weights_alone(dtype, tmp_path):
    network = Network(2, 1, cell=odd, hidden=3, dtype=dtype, cell_options={"rate": 0.7})
    genome = network.init(seed=0)
    network.to_onnx(genome, tmp_path / "model.onnx")
    x, ends, state = draw_batch(np.random.default_rng(4), network)
    blocks = network.unpack(genome)
    p = SimpleNamespace(
        **{name.partition(".")[2]: block for name, block in blocks.items() if "layer0" in name}
    )
    wanted, last = np.zeros((*x.shape[:2], 1), dtype), state.copy()
    for b, end in enumerate(ends):
        h, k = state[b, :3], state[b, 3:]
        for t in range(end):
            h, k = odd(p, x[b, t], h, k, rate=0.7)
            wanted[b, t] = blocks["readout.W"] @ h + blocks["readout.b"]
        last[b] = np.concatenate([h, k])
    y, after = run(tmp_path / "model.onnx", x=x, lengths=ends, state=state)
    close(y, wanted, network.dtype)
    close(after, last, network.dtype)


@pytest.mark.parametrize("cell", EVERY)
def test_models_are_valid_and_another_runtime_computes_the_same(cell, tmp_path):
    from onnx.reference import ReferenceEvaluator

    network = Network(2, 3, cell=cell, hidden=(3, 2), direct=True)
    genome, path = network.init(seed=0), tmp_path / "model.onnx"
    network.to_onnx(genome, path)
    onnx.checker.check_model(onnx.load(path), full_check=True)
    x, _, _ = draw_batch(np.random.default_rng(3), network, lengths=False)
    ours, wanted = run(path, x=x), ReferenceEvaluator(str(path)).run(["y", "last_state"], {"x": x})
    for mine, theirs in zip(ours, wanted):
        close(mine, theirs.reshape(mine.shape), network.dtype)


@evorrn.cell(
    state={"h": "H", "memory": "4 H", "t": "1"},
    parameters={"W": "H H I", "U": "H H", "k": "4 H", "a b": "H"},
    fixed={"period": evorrn.Fixed("H", rule=lambda sizes, options: 1.0 + np.arange(sizes["H"]) % 3)},
    delays={"x": 1, "h": 2},
    start={"memory": 0.5},
)
def rich(p, x, h, memory, t, x_1, h_2, *, gain=0.8):
    """A cell with a mask, a clock, delays, a memory that is pushed, attention, and a state that does not begin with zero."""
    share = evorrn.softmax(evorrn.einsum("mh,h->m", memory + p.k, h))
    seen = evorrn.einsum("m,mh->h", share, memory)
    new = evorrn.tanh(
        evorrn.einsum("hki,k,i->h", p.W, evorrn.roll(h, 1), x - 0.5 * x_1) + p.U @ h_2 + gain * seen
    )
    mask = evorrn.every(p.period, t)
    h = mask * new + (1 - mask) * h + evorrn.maximum(p.a, 0.1) * evorrn.shift(p.b, 1)
    return h, evorrn.push(memory, h), t + 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("seed", range(3))
def test_a_cell_with_arrays_delays_masks_and_clocks_equals_its_graph_in_numpy(seed, dtype, tmp_path):
    rng = np.random.default_rng(seed)
    network = Network(2, 1, cell=rich, hidden=(3, 4), dtype=dtype, feedback=bool(seed % 2), reads="all")
    genome, path = network.init(seed=seed), tmp_path / "model.onnx"
    network.to_onnx(genome, path)
    x, ends, _ = draw_batch(rng, network)
    step, weights = network.step, {**network.weights(genome), "layer0.gain": 0.8, "layer1.gain": 0.8}
    first = {
        name: np.full([network.sizes[d] for d in shape], step.start.get(name, 0.0))
        for name, shape in step.states.items()
    }
    wanted, last = np.zeros((*x.shape[:2], 1)), np.zeros((len(x), network.state_size))
    for b, end in enumerate(ends):
        states = first
        for t in range(end):
            results = step.graph.evaluate({**weights, **states, "x": x[b, t].astype(np.float64)})
            states, wanted[b, t] = {name: results[name] for name in states}, results["y"]
        last[b] = np.concatenate([np.ravel(state) for state in states.values()])
    y, after = run(path, x=x, lengths=ends)
    close(y, wanted, network.dtype)
    close(after, last, network.dtype)


def test_equal_networks_give_equal_bytes(tmp_path):
    network = Network(2, 1, cell="leaky", hidden=3)
    for name in ("a", "b"):
        network.to_onnx(network.init(seed=0), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_an_operation_without_an_onnx_form_is_named(tmp_path, monkeypatch):
    monkeypatch.delitem(EXPRESSIONS, "multiply")
    monkeypatch.delitem(EXPRESSIONS, "tanh")
    network = Network(1, 1, cell="leaky", hidden=2)
    with pytest.raises(ConfigError, match="leaky: no ONNX form of the operation multiply, tanh"):
        network.to_onnx(network.init(seed=0), tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


def test_wrong_genomes_and_places_and_a_missing_library_are_said(tmp_path, monkeypatch):
    network = Network(1, 1, hidden=2)
    with pytest.raises(ShapeError):
        network.to_onnx(np.zeros(3), tmp_path / "model.onnx")
    (tmp_path / "file").write_text("")
    with pytest.raises(EvorrnError, match="cannot write"):
        network.to_onnx(network.init(seed=0), tmp_path / "file" / "model.onnx")
    monkeypatch.setattr(model, "LARGEST", 20)
    with pytest.raises(EvorrnError, match="more than 2 GB"):
        network.to_onnx(network.init(seed=0), tmp_path / "model.onnx")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(EvorrnError, match=r"pip install 'evorrn\[onnx\]'"):
        network.to_onnx(network.init(seed=0), tmp_path / "model.onnx")
