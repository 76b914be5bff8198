"""A network that is a linear map, for tests of what stands above the engine: nothing to compile."""

import copy
from types import SimpleNamespace

import numpy as np

from evorrn.data.batch import Batch
from evorrn.losses.find import find_loss
from evorrn.training.problem import Problem


class LinearNetwork:
    """Outputs ``gain * (W x + b)`` at every time step; what `Problem` and the training loop ask of a network."""

    loss_name = "mse"
    loss_function = find_loss("mse")
    feedback = False
    pool = None
    decodes = False
    cells = (SimpleNamespace(noise=()),)
    compile_seconds = 0.0

    def __init__(self, inputs=2, outputs=1):
        self.inputs, self.outputs = inputs, outputs
        self.blocks = {"readout.W": (outputs, inputs), "readout.b": (outputs,)}
        self.size = outputs * (inputs + 1)
        self.gain = 1.0

    def with_options(self, options):
        changed = copy.copy(self)
        changed.gain = options.get("gain", self.gain)
        return changed

    def check_batch(self, batch):
        assert batch.n_inputs == self.inputs

    def fitting(self, batch):
        self.check_batch(batch)
        return batch

    def init(self, seed=None, rng=None):
        return (rng or np.random.default_rng(seed)).standard_normal(self.size)

    def init_many(self, rng, count):
        return rng.standard_normal((count, self.size))

    def warm_up(self, batch):
        return None

    def predict(self, genome, x, lengths=None, free_from=None, teacher=None, links=None):
        weights = genome[: -self.outputs].reshape(self.outputs, self.inputs)
        return self.gain * (x @ weights.T + genome[-self.outputs :])

    def loss(self, genome, batch, free_from=None):
        error = self.predict(genome, batch.inputs) - batch.targets
        return float(np.mean(error[batch.scored] ** 2))

    def fitness(self, genomes, batch, free_from=None):
        return np.array([-self.loss(genome, batch, free_from) for genome in genomes])

    def sequence_losses(self, genomes, batch):
        parts = [batch.take([index]) for index in range(batch.size)]
        return np.array([[self.loss(genome, part) for part in parts] for genome in genomes])

    def loss_and_gradient(self, genome, batch):
        error = (self.predict(genome, batch.inputs) - batch.targets)[batch.scored]
        x = batch.inputs[batch.scored]
        scale = 2 * self.gain / error.size
        return self.loss(genome, batch), np.concatenate([(scale * error.T @ x).ravel(), scale * error.sum(0)])

    def moved_steps(self, batch):
        return batch.moved_steps

    def forward_work(self, batch, genome=None):
        return self.size * batch.moved_steps

    def backward_work(self, batch):
        return 2 * self.forward_work(batch)


TRUTH = np.array([0.7, -1.2, 0.4])


def batch(seed=0, sequences=4, steps=5):
    """Return a batch that the genome `TRUTH` predicts without error."""
    x = np.random.default_rng(seed).standard_normal((sequences, steps, 2))
    return Batch(x, LinearNetwork().predict(TRUTH, x))


def problem():
    """Return a problem of three genes whose best genome is `TRUTH`."""
    return Problem(LinearNetwork(), batch(0), batch(1))
