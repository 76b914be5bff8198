"""Networks and batches of random form, and what onnxruntime computes of them."""

import naive
import numpy as np

from evorrn.network.network import Network


def run(path, **given):
    """Return the outputs and last states that onnxruntime computes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(["y", "last_state"], given)


def close(actual, wanted, dtype):
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    scale = max(1.0, float(np.abs(wanted).max()))
    assert actual.shape == wanted.shape and actual.dtype == dtype
    np.testing.assert_allclose(actual, wanted, rtol=0, atol=tolerance * scale)


def draw(rng, cell, **settings):
    """Return a network of random sizes and form with a genome whose states neither die out nor explode."""
    layers = int(rng.integers(1, 4))
    feedback = bool(rng.integers(3) == 0)
    drawn = {
        "cell": cell,
        "hidden": tuple(int(size) for size in rng.integers(1, 12, layers)),
        "dtype": str(rng.choice(["float32", "float32", "float64"])),
        "direct": bool(rng.integers(2)),
        "biases": bool(rng.integers(4)),
        "reads": str(rng.choice(["last", "all"])),
        "feedback": feedback,
        "loss": str(rng.choice(["mse", "cross-entropy", "binary-cross-entropy"])),
    }
    network = Network(int(rng.integers(1, 5)), int(rng.integers(1, 4)), **{**drawn, **settings})
    genome = network.init(rng=rng) * 0.6 + 0.1 * rng.standard_normal(network.size)
    return network, genome.astype(network.dtype)


def draw_batch(rng, network, lengths=True):
    """Return inputs that are NaN beyond ragged lengths, the lengths and a first state; often of one sequence or step."""
    sequences, steps = int(rng.choice([1, rng.integers(1, 40)])), int(rng.choice([1, rng.integers(1, 30)]))
    ends = rng.integers(1, steps + 1, sequences) if lengths else np.full(sequences, steps)
    x = rng.standard_normal((sequences, steps, network.inputs)).astype(network.dtype)
    x[np.arange(steps) >= ends[:, None]] = np.nan
    spread = (
        0.05 if network.cell.name == "dnc" else 0.5
    )  # its usages and links are shares: far from these it explodes
    state = (spread * rng.standard_normal((sequences, network.state_size))).astype(network.dtype)
    return x, ends, state


def by_hand(network, cell, blocks, x, lengths, **states):
    """Return the outputs of a network of one cell by plain NumPy, from its blocks; `states` are those of `naive.run`."""
    outputs, _ = naive.run(
        blocks,
        cell,
        network.hidden,
        network.cell_options,
        x.astype(np.float64),
        lengths,
        direct=network.direct,
        feedback=network.feedback,
        outputs=network.outputs,
        reads=network.reads,
        fed=naive.FED.get((network.loss_name, network.fed_back), lambda y: y),
        **states,
    )
    return outputs
