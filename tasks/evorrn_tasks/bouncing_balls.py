"""BouncingBalls: the next frame of small moving pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.data.task import Recommended, Splits, Task
from evorrn_tasks.common import baselines
from evorrn_tasks.common.draws import generator

SUBSTEPS = 4
"""Steps of the motion in a frame, so that balls do not pass through each other unseen."""


@dataclass(frozen=True)
class BouncingBalls(Task):
    """Films of balls in a square box, whose next frame is to be predicted.

    Balls of equal mass and of radius `radius`, in pixels, move without friction; they bounce off the walls and off each other. Places are
    uniform in the box without overlap, directions uniform, and all balls start at `speed` pixels a frame. A frame has
    `size` times `size` pixels; a pixel is the sum over balls of ``exp(-d^2 / (2 radius^2))`` with the distance d of its middle
    from the ball's, at most 1. Inputs are the pixels of a frame row by row, targets those of the next one.

    The first `context` frames of a film are not scored, since one frame does not tell the speed.

    Source: after the films of Sutskever, Hinton and Taylor 2008; the pictures are smaller and the form of the balls is ours.
    """

    name = "bouncing-balls"
    metrics = ("mse", "rmse")
    predicts_inputs = True
    size: int = setting(8, "pixels of a side", minimum=3, maximum=64)
    balls: int = setting(2, "balls in the box", minimum=1, maximum=8)
    radius: float = setting(1.0, "radius of a ball in pixels", above=0.0)
    speed: float = setting(0.7, "pixels that a ball moves in a frame, at the start", minimum=0.0, maximum=2.0)
    frames: int = setting(30, "scored frames of a film", minimum=1)
    context: int = setting(2, "frames before the scored ones", minimum=0)
    train: int = setting(100, "training films", minimum=1)
    valid: int = setting(40, "validation films", minimum=1)
    test: int = setting(60, "test films", minimum=1)

    @property
    def inputs(self) -> int:
        """Number of pixels."""
        return self.size**2

    @property
    def outputs(self) -> int:
        """Number of pixels."""
        return self.size**2

    @property
    def input_names(self) -> tuple[str, ...]:
        """The row and the column of each pixel."""
        return tuple(f"pixel {row},{column}" for row in range(self.size) for column in range(self.size))

    @property
    def output_names(self) -> tuple[str, ...]:
        """The row and the column of each pixel."""
        return self.input_names

    @property
    def numbers_in_data(self) -> int:
        """The numbers in inputs and targets of all films."""
        return 2 * self.inputs * (self.frames + self.context) * (self.train + self.valid + self.test)

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed, balls that do not fit into the box included."""
        found = super().problems()
        most = int((self.size - 2 * self.radius) // (3 * self.radius)) ** 2
        if not found and (2 * self.radius >= self.size or self.balls > max(most, 1)):
            found.append(
                f"radius: expected balls that fit into the box with room to move, got {self.balls} of radius {self.radius:g} in "
                f"{self.size} x {self.size} pixels"
            )
        return found

    def data(self, seed: int) -> Splits:
        """Return films drawn from the seed."""
        return Splits(
            train=self._batch(generator(seed, 0), self.train),
            valid=self._batch(generator(seed, 1), self.valid),
            test=self._batch(generator(seed, 2), self.test),
        )

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the mean, the frame before, and linear models of the last frames."""
        return baselines.forecasts(splits, linear_name="linear model of the last frames")

    def recommended(self, strategy: str) -> Recommended:
        """Return a GRU for gradients, a reservoir of 200 units, else few units."""
        if strategy in ("esn", "evolved-esn"):
            return Recommended({"cell": "leaky", "hidden": 200, "direct": True, "dtype": "float64"})
        if strategy == "bptt":
            return Recommended({"cell": "gru", "hidden": 64}, {"batch_size": 10, "rate": 0.005})
        return Recommended({"cell": "elman", "hidden": 8})

    def _batch(self, rng: np.random.Generator, size: int) -> Batch:
        steps = self.frames + self.context
        films = self.drawn(self.paths(rng, size, steps + 1))
        mask = np.tile(np.arange(steps) >= self.context, (size, 1))
        return Batch(films[:, :-1], films[:, 1:], mask=mask)

    def paths(self, rng: np.random.Generator, size: int, steps: int) -> np.ndarray:
        """Return the places (size, steps, balls, 2) of balls in films, in pixels from a corner of the box."""
        places = self._starts(rng, size)
        angles = rng.uniform(0, 2 * np.pi, (size, self.balls))
        speeds = self.speed * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
        found = np.zeros((size, steps, self.balls, 2))
        for step in range(steps):
            found[:, step] = places
            for _ in range(SUBSTEPS):
                places, speeds = self.moved(places, speeds)
        return found

    def drawn(self, places: np.ndarray) -> np.ndarray:
        """Return the pixels (..., size * size) of frames with balls at places (..., balls, 2)."""
        middles = np.arange(self.size) + 0.5
        near = np.exp(-np.square(middles - places[..., None]) / (2 * self.radius**2))  # (..., balls, 2, size)
        pixels = np.einsum("...br,...bc->...rc", near[..., 0, :], near[..., 1, :])
        return np.minimum(pixels, 1.0).reshape(*places.shape[:-2], self.inputs)

    def _starts(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """Return places (size, balls, 2) at which no two balls overlap."""
        found = np.zeros((size, self.balls, 2))
        for film in found:
            for ball in range(self.balls):
                while True:
                    film[ball] = rng.uniform(self.radius, self.size - self.radius, 2)
                    others = np.linalg.norm(film[:ball] - film[ball], axis=1)
                    if (others >= 2 * self.radius).all():
                        break
        return found

    def moved(self, places: np.ndarray, speeds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return places and speeds (size, balls, 2) a substep later."""
        places, speeds = places + speeds / SUBSTEPS, speeds.copy()
        for first in range(self.balls):
            for second in range(first):
                apart = places[:, first] - places[:, second]
                distance = np.linalg.norm(apart, axis=1, keepdims=True)
                normal = apart / np.maximum(distance, 1e-9)
                closing = ((speeds[:, first] - speeds[:, second]) * normal).sum(axis=1, keepdims=True)
                # Balls of equal mass swap their speeds along the line between them.
                given = np.where((distance < 2 * self.radius) & (closing < 0), closing, 0.0) * normal
                speeds[:, first] -= given
                speeds[:, second] += given
        low, high = self.radius, self.size - self.radius
        over, under = places > high, places < low
        places = np.where(over, 2 * high - places, np.where(under, 2 * low - places, places))
        speeds = np.where(over, -np.abs(speeds), np.where(under, np.abs(speeds), speeds))
        return places, speeds
