"""ONNX models whose weights are more than a cell of ONNX has: first states that are learned, and transposed matrices."""

import naive
import numpy as np
import pytest
from runtime import by_hand, close, draw, draw_batch, run

import evorrn
from evorrn.network.network import Network

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


@pytest.mark.parametrize("cell", sorted(naive.CELLS))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_first_states_that_are_learned_are_those_of_a_new_sequence(cell, dtype, tmp_path):
    rng = np.random.default_rng([*cell.encode()])
    network, genome = draw(rng, cell, dtype=dtype, learn_start=True)
    genome = (genome + 0.3 * rng.standard_normal(network.size)).astype(dtype)
    network.to_onnx(genome, tmp_path / "model.onnx")
    x, ends, _ = draw_batch(rng, network)
    blocks = {name: block.astype(np.float64) for name, block in network.unpack(genome).items()}
    begin = np.concatenate(
        [
            np.ravel(blocks.get(name.replace(".", ".start.", 1), np.zeros([network.sizes[d] for d in shape])))
            for name, shape in network.step.states.items()
        ]
    )
    plain = {name: block for name, block in blocks.items() if ".start." not in name}
    wanted = by_hand(network, cell, plain, x, ends, begin=np.tile(begin, (len(x), 1)))
    y, _ = run(tmp_path / "model.onnx", x=x, lengths=ends)
    close(y, wanted, network.dtype)


@evorrn.cell(state={"h": "H"}, parameters={"W": "H I", "U": "H H", "V": "H H H"})
def tied(p, x, h):
    """A cell that uses weights in both directions."""
    return evorrn.tanh(
        p.W @ x + p.U.T @ (p.U @ h) + 0.1 * evorrn.einsum("ijk,ij->k", p.V, evorrn.outer(h, h))
    )


@pytest.mark.parametrize("hidden", [1, 4])
def test_weights_that_are_transposed(hidden, tmp_path):
    rng = np.random.default_rng(hidden)
    network = Network(2, 1, cell=tied, hidden=hidden, dtype="float64")
    genome = network.init(seed=hidden)
    network.to_onnx(genome, tmp_path / "model.onnx")
    x, p = rng.standard_normal((3, 5, 2)), network.unpack(genome)
    wanted, h = [], np.zeros((3, hidden))
    for t in range(5):
        inner = h @ p["layer0.U"].T @ p["layer0.U"]
        h = np.tanh(x[:, t] @ p["layer0.W"].T + inner + 0.1 * np.einsum("ijk,bi,bj->bk", p["layer0.V"], h, h))
        wanted.append(h @ p["readout.W"].T + p["readout.b"])
    y, _ = run(tmp_path / "model.onnx", x=x)
    close(y, np.stack(wanted, axis=1), network.dtype)
