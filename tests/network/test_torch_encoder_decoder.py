"""Encoder-decoders against PyTorch: losses, gradients and greedy answers in float64, weight for weight."""

import numpy as np
import pytest

from evorrn import Batch, Network

pytestmark = pytest.mark.oracle
torch = pytest.importorskip("torch")

GATES = {"lstm": ("LSTM", "ifgo"), "gru": ("GRU", "rzn")}
NEAR = {"rtol": 1e-10, "atol": 1e-12}


class Peer(torch.nn.Module):
    """Encoder, decoder and readout of PyTorch with the weights of a network."""

    def __init__(self, network, genome):
        super().__init__()
        self.blocks = {
            name: torch.tensor(block, requires_grad=True) for name, block in network.unpack(genome).items()
        }
        self.network = network

    def layer(self, place, cell, x, state, flipped=False):
        """Return the series (T, H) and the last state of one layer, by PyTorch's function of one step."""
        kind, gates = GATES[cell]
        parts = [torch.cat([self.blocks[f"{place}.{letter}_{gate}"] for gate in gates]) for letter in "WUb"]
        second = torch.zeros_like(parts[2])
        if cell == "gru":
            units = len(parts[2]) // 3
            second = torch.cat([torch.zeros(2 * units, dtype=torch.float64), self.blocks[f"{place}.c_n"]])
        step = getattr(torch, f"{kind.lower()}_cell")
        outputs = []
        for values in reversed(x) if flipped else x:
            given = values[None], state if cell == "lstm" else state[0], *parts, second
            found = step(*given)
            state = list(found) if cell == "lstm" else [found]
            outputs.append(state[0][0])
        return outputs[::-1] if flipped else outputs, state

    def zeros(self, cell, units):
        return [torch.zeros(1, units, dtype=torch.float64) for _ in range(2 if cell == "lstm" else 1)]

    def vectors(self, part, symbols, count):
        one_hot = torch.eye(count, dtype=torch.float64)[torch.tensor(symbols)]
        table = self.blocks.get(f"{part}.embedding.W")
        return list(one_hot if table is None else one_hot @ table)

    def encode(self, x):
        encoder = self.network.encoder
        signal, states = self.vectors("encoder", x, self.network.inputs), []
        for number, (cell, units) in enumerate(zip(encoder.cells, encoder.hidden)):
            place, begin = f"encoder.layer{number}", self.zeros(cell.name, units)
            if encoder.bidirectional:
                there, first = self.layer(f"{place}.forward", cell.name, signal, begin)
                back, second = self.layer(f"{place}.backward", cell.name, signal, begin, flipped=True)
                signal = [torch.cat(pair) for pair in zip(there, back)]
                states.append([torch.cat(pair, dim=1) for pair in zip(first, second)])
            else:
                signal, last = self.layer(place, cell.name, signal, begin)
                states.append(last)
        return states

    def logits(self, states, symbols):
        signal, decoder = self.vectors("decoder", symbols, self.network.outputs), self.network.decoder
        for number, cell in enumerate(decoder.cells):
            own = states[len(states) - len(decoder.cells) + number]
            signal, _ = self.layer(f"decoder.layer{number}", cell.name, signal, own)
        return torch.stack(signal) @ self.blocks["decoder.readout.W"].T + self.blocks["decoder.readout.b"]

    def loss(self, inputs, rows):
        found, count = 0, 0
        for x, row in zip(inputs, rows):
            values = self.logits(self.encode(x), [self.network.start, *row])
            wanted = torch.tensor([*row, self.network.stop])
            found = found + torch.nn.functional.cross_entropy(values, wanted, reduction="sum")
            count += len(wanted)
        return found / count


@pytest.mark.parametrize("seed", range(6))
def test_loss_gradient_and_greedy_answers_are_those_of_pytorch(seed):
    rng = np.random.default_rng(seed)
    cell = ("gru", "lstm")[seed % 2]
    both, layers = bool(rng.integers(2)), int(rng.integers(1, 3))
    units = rng.integers(1, 6, layers).tolist()
    encoder = {"cell": cell, "hidden": units, "bidirectional": both}
    decoder = {"cell": cell, "hidden": [(1 + both) * each for each in units[-1:]]}
    inputs, outputs = (int(rng.integers(low, 8)) for low in (2, 3))
    start, stop = rng.permutation(outputs)[:2].tolist()
    network = Network.encoder_decoder(
        inputs, outputs, encoder, decoder, int(rng.integers(0, 4)), start, stop, "float64"
    )
    count, steps, longest = rng.integers(1, 10), rng.integers(1, 9), rng.integers(0, 7)
    lengths, numbers = rng.integers(1, steps + 1, count), rng.integers(0, longest + 1, count)
    x, free = rng.integers(0, inputs, (count, steps)), np.setdiff1d(np.arange(outputs), [start, stop])
    batch = Batch(x, rng.choice(free, (count, longest)), lengths=lengths, target_lengths=numbers)
    genome = network.init(rng=rng) + 0.3 * rng.standard_normal(network.size)
    peer = Peer(network, genome)
    cut = [row[:end] for row, end in zip(x, lengths)]
    true = peer.loss(cut, batch.rows)
    true.backward()
    loss, gradient = network.loss_and_gradient(genome, batch)
    np.testing.assert_allclose(loss, true.item(), **NEAR)
    for name, block in network.unpack(gradient).items():
        wanted = peer.blocks[name].grad
        wanted = np.zeros(block.shape) if wanted is None else wanted.numpy()
        np.testing.assert_allclose(block, wanted, err_msg=name, **NEAR)
    answers = network.decode(genome, x, lengths, steps=5)
    for row, each in enumerate(cut):
        with torch.no_grad():
            states, chosen = peer.encode(each), []
            while len(chosen) < 5:
                last = peer.logits(states, [start, *chosen])[-1].clone()
                last[start] = -torch.inf
                if int(last.argmax()) == stop:
                    break
                chosen.append(int(last.argmax()))
        assert answers[row].tolist() == chosen
