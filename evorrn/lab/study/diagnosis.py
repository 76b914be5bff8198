"""Diagnosis: what the diagnostics say of the network of a complete run, on its own test data."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from math import comb
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from evorrn import diagnostics
from evorrn.base.errors import EvorrnError
from evorrn.base.files import jsonable, npz_bytes, write_atomic
from evorrn.data.batch import Batch
from evorrn.data.task import Task
from evorrn.diagnostics.fixed_points import FixedPoints
from evorrn.diagnostics.gradients import GradientByLag
from evorrn.diagnostics.memory import MemoryCapacity
from evorrn.diagnostics.spectrum import PowerSpectra
from evorrn.diagnostics.states import StateSpace, Trajectories
from evorrn.lab.runs.outputs import Trajectory, read_outputs
from evorrn.lab.runs.spec import resolve_stored
from evorrn.lab.runs.store import RunFolder
from evorrn.network.network import Network
from evorrn.training.result import Result

SEQUENCES, STEPS, EXPONENTS, LARGEST_STATE = 32, 400, 16, 500
"""Largest numbers of sequences, of time steps, of exponents, and of the entries of a state whose Jacobian is taken."""
KNOWN = 100
"""Most time steps whose inputs are given before a free run where every step of test is scored."""
RANDOM_STEPS, SHARE = 20_000, 30
"""Time steps of random inputs, and how many of them there are at least for each product of inputs of one degree."""

Found = TypeVar("Found")


@dataclass
class Diagnosis:
    """What the diagnostics say of one network; None for what does not apply to it, with the reason in `notes`.

    `network` and `genome` are those of the run; inputs (B, T, I) are an excerpt of its test data, `amplitude` that of
    the random inputs of the capacities, `outputs` are the names of the outputs. The other attributes are results of functions in `evorrn.diagnostics`.
    """

    name: str
    network: Network
    genome: np.ndarray
    inputs: np.ndarray
    amplitude: float
    outputs: tuple[str, ...] = ()
    gradients: GradientByLag | None = None
    exponents: np.ndarray | None = None
    closed_exponents: np.ndarray | None = None
    spectra: PowerSpectra | None = None
    memory: MemoryCapacity | None = None
    processing: dict[int, float] | None = None
    points: FixedPoints | None = None
    responses: np.ndarray | None = None
    radii: np.ndarray | None = None
    space: StateSpace | None = None
    trajectories: Trajectories | None = None
    activity: dict[str, np.ndarray] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def figures(self) -> Iterator[tuple[str, str]]:
        """Yield ``(what it is, its value)`` for people."""
        if self.gradients is not None:
            known = np.asarray(self.gradients)[np.isfinite(self.gradients)]
            for lag in (0, 10, 100):
                if len(known) > lag:
                    yield f"gradient of the last loss, lag {lag}", f"{known[lag]:.3g}"
        if self.exponents is not None:
            yield "largest Lyapunov exponent, driven by test inputs", f"{self.exponents[0]:.4g} per time step"
        if self.closed_exponents is not None:
            yield (
                "largest Lyapunov exponent, on its own output",
                f"{self.closed_exponents[0]:.4g} per time step",
            )
        if self.spectra is not None:
            yield (
                "distance of the spectra of free runs and truth, from 0 to 1",
                f"{self.spectra.distance:.3g}",
            )
        if self.radii is not None:
            yield "effective spectral radius, median", f"{np.median(self.radii):.4g}"
        if self.responses is not None:
            yield "different responses to one input (echo-state index)", f"{self.responses.max()}"
        if self.points is not None:
            yield (
                "fixed points under the mean input",
                f"{len(self.points.points)}, {self.points.stable.sum()} stable",
            )
        units = self.network.readout_width
        if self.memory is not None:
            yield "linear memory capacity", f"{self.memory:.2f} of {units} units"
        if self.processing is not None:
            by_degree = ", ".join(
                f"{value:.2f} of degree {degree}" for degree, value in self.processing.items()
            )
            yield "capacity of products of inputs", by_degree
        if self.space is not None and not self.space.rank:
            yield "directions that the states fill", f"0 of {units}: they do not vary"
        elif self.space is not None:
            yield (
                "directions that the states fill",
                f"{self.space.rank} of {units}, effectively {self.space.dimension:.1f}",
            )
            yield "condition of the states", f"{self.space.condition:.3g}"

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers as strict JSON."""
        made: dict[str, Any] = {
            "run": self.name,
            "network": repr(self.network),
            "sequences": len(self.inputs),
            "steps": self.inputs.shape[1],
            "amplitude": self.amplitude,
            "lyapunov_exponents": self.exponents,
            "closed_lyapunov_exponents": self.closed_exponents,
            "echo_state_index": self.responses,
            "processing_capacity": self.processing,
            "notes": self.notes,
        }
        if self.gradients is not None:
            low, high = self.gradients.quartiles
            made["gradient_by_lag"] = {"median": np.asarray(self.gradients), "lower": low, "upper": high}
        if self.spectra is not None:
            made["power_spectra"] = asdict(self.spectra)
        if self.memory is not None:
            made["memory_capacity"] = {"total": float(self.memory), "by_delay": self.memory.by_delay}
        if self.radii is not None:
            made["effective_spectral_radius"] = np.median(self.radii, axis=0)
        if self.space is not None:
            made["states"] = self.space._asdict()
        if self.points is not None:
            eigenvalues = [[[z.real, z.imag] for z in row] for row in self.points.eigenvalues]
            made["fixed_points"] = {
                "points": self.points.points,
                "speeds": self.points.speeds,
                "stable": self.points.stable,
                "eigenvalues": eigenvalues,
            }
        return jsonable(_plain(made))  # type: ignore[no-any-return]


def diagnose(run: RunFolder, result: Result, seed: int = 0, steps: int = RANDOM_STEPS) -> Diagnosis:
    """Return the diagnosis of a complete run on an excerpt of its test data, or of an episode.

    Parameters
    ----------
    run : RunFolder
    result : Result
        That of the run.
    seed : int
        Seed of random inputs and first states.
    steps : int
        Time steps of random inputs for the capacities.

    Raises
    ------
    EvorrnError
        When the data of the run cannot be made again, or its network is more than one time step with a readout.
    """
    network, genome = result.network, result.genome
    if network.wired:
        raise EvorrnError(
            f"diagnose: run {run.id} has a network with {network.wiring}, and what is measured is of one time step and its "
            "readout"
        )
    batch = _test_data(run)
    if batch is None:
        shown = read_outputs(run.path)
        assert isinstance(shown, Trajectory)
        x = np.asarray(shown.observations, np.float64)[None, :STEPS]
    else:
        batch = excerpt(network.fitting(batch))
        x = inputs_of(batch)
    amplitude = float(np.sqrt(3) * x.std()) or 1.0  # that of uniform inputs of the same variance
    made = Diagnosis(run.id, network, genome, x, amplitude, result.output_names)
    made.activity = diagnostics.activity(network, genome, x[:1])
    size = network.state_size

    def tried(title: str, measure: Callable[..., Found], *arguments: Any, **options: Any) -> Found | None:
        try:
            return measure(network, genome, *arguments, **options)
        except EvorrnError as error:
            made.notes.append(f"{title}: {error}")
            return None

    if batch is not None:
        made.gradients = tried("gradient by lag", diagnostics.gradient_by_lag, batch)
    made.exponents = tried("Lyapunov exponents", diagnostics.lyapunov_spectrum, x, min(size, EXPONENTS))
    if result.horizon == 1 and network.outputs == network.inputs and batch is not None:
        made.closed_exponents = tried("Lyapunov exponents on its own output", _closed, x)
        made.spectra = tried("spectra of free runs", _spectra, batch)
    made.space = tried("states", diagnostics.state_space, x)
    shown_components = min(2, network.readout_width, x.shape[0] * x.shape[1])
    made.trajectories = tried("principal components", diagnostics.principal_trajectories, x, shown_components)
    repeated = np.tile(x[:4], (1, -(-STEPS // x.shape[1]), 1))  # long enough to forget the first state
    made.responses = tried("echo-state index", diagnostics.echo_state_index, repeated, seed)
    if size <= LARGEST_STATE:
        made.radii = tried("effective spectral radius", diagnostics.effective_spectral_radius, x[:4, :25])
        starts = int(np.clip(3e8 / size**3, 8, 128))
        made.points = tried("fixed points", diagnostics.fixed_points, x, seed, starts=starts)
    else:
        large = f"the state has {size} entries; computed up to {LARGEST_STATE}"
        made.notes += [f"effective spectral radius: {large}", f"fixed points: {large}"]
    if network.inputs:
        delays, enough = _delays(network.inputs, steps // SHARE), max(steps, 10 * network.readout_width)
        drawn = {"steps": enough, "seed": seed, "amplitude": amplitude}
        made.memory = tried("memory capacity", diagnostics.memory_capacity, delays[1], **drawn)
        made.processing = tried("capacity of products", diagnostics.processing_capacity, delays, **drawn)
    else:
        absent = "the network has no inputs"
        made.notes += [f"memory capacity: {absent}", f"capacity of products: {absent}"]
    return made


def write_diagnosis(made: Diagnosis, folder: Path) -> Path:
    """Write ``diagnosis.json`` and the arrays of ``activity.npz`` to a folder, and return the path of the former."""
    path = folder / "diagnosis.json"
    write_atomic(path, json.dumps(made.as_dict(), indent=1) + "\n")
    write_atomic(folder / "activity.npz", npz_bytes(made.activity))
    return path


def excerpt(batch: Batch) -> Batch:
    """Return at most 32 sequences of at most 400 time steps; a few long sequences are cut into pieces."""
    pieces = batch.steps // STEPS
    if pieces >= 2:
        assert batch.lengths is not None and batch.mask is not None
        kept = [
            (row, start)
            for row in range(batch.size)
            for start in range(0, pieces * STEPS, STEPS)
            if batch.scored[row, start : start + STEPS].any()
        ][:SEQUENCES]
        cut = [(row, slice(start, start + STEPS)) for row, start in kept]
        return Batch(
            np.stack([batch.inputs[row, steps] for row, steps in cut]),
            np.stack([batch.targets[row, steps] for row, steps in cut]),
            mask=np.stack([batch.scored[row, steps] for row, steps in cut]),
            lengths=np.array([np.clip(batch.lengths[row] - steps.start, 1, STEPS) for row, steps in cut]),
        )
    return batch.take(np.arange(min(batch.size, SEQUENCES)))


def inputs_of(batch: Batch) -> np.ndarray:
    """Return the inputs (B, T, I) of a batch; sequences of different lengths are joined and cut into equal pieces."""
    assert batch.lengths is not None
    inputs = np.asarray(batch.inputs, np.float64)
    if (batch.lengths == batch.steps).all():
        return inputs
    joined = inputs[np.arange(batch.steps)[None] < batch.lengths[:, None]]
    steps = int(np.mean(batch.lengths))
    return joined[: len(joined) // steps * steps].reshape(-1, steps, batch.n_inputs)


def _test_data(run: RunFolder) -> Batch | None:
    """Return the test data of a run, None for a run in an environment."""
    spec = resolve_stored(run.path, run.path)
    return spec.task.data(spec.seed).test if isinstance(spec.task, Task) else None


def _closed(network: Network, genome: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return the exponents of a network that runs on its own outputs, from where test inputs lead."""
    outputs, state = network.predict(genome, x, return_state=True)
    if not network.feeds_back:  # the state of a closed loop ends with what is fed back
        state = np.concatenate([state, outputs[:, -1]], axis=1)
    return diagnostics.lyapunov_spectrum(
        network, genome, np.zeros((len(x), STEPS, network.inputs)), 1, state=state, washout=100, closed=True
    )


def _spectra(network: Network, genome: np.ndarray, batch: Batch) -> PowerSpectra:
    """Return the spectra of free runs from the first scored step on, after at least one known step, and of the truth."""
    assert batch.lengths is not None
    whole = batch.take(np.flatnonzero(batch.lengths == batch.steps))
    known = int(whole.scored.argmax(axis=1).max()) or min(KNOWN, whole.steps // 4) or 1
    outputs = network.predict(
        genome, whole.inputs, free_from=np.full(whole.size, known), teacher=network.warm_up(whole)
    )
    return diagnostics.power_spectra(outputs[:, known:], whole.targets[:, known:])


def _delays(inputs: int, most: int) -> dict[int, int]:
    """Return the longest delay, up to 200, of each degree from 1 to 3 of which there are at most `most` products."""

    def products(degree: int, delay: int) -> int:
        return comb(inputs * (delay + 1) + degree - 1, degree)

    fitting = {
        degree: [delay for delay in range(201) if products(degree, delay) <= most] for degree in (1, 2, 3)
    }
    return {1: 1} | {degree: delays[-1] for degree, delays in fitting.items() if delays and delays[-1]}


def _plain(value: Any) -> Any:
    """Return nested dicts with lists in place of arrays."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return value.tolist() if isinstance(value, np.ndarray) else value
