"""Bouncing balls: the motion by laws that it has to keep, and the pictures."""

import numpy as np
import pytest

import evorrn
from evorrn.base.errors import ConfigError


@pytest.mark.parametrize(
    "settings", [{}, {"size": 16, "balls": 3, "radius": 1.5}, {"balls": 1, "speed": 0.0}]
)
def test_balls_stay_in_the_box_and_keep_their_energy(settings):
    task = evorrn.task("bouncing-balls", **settings)
    places = task.paths(np.random.default_rng(0), 30, 200)
    assert places.min() >= task.radius - 1e-9 and places.max() <= task.size - task.radius + 1e-9
    rng = np.random.default_rng(1)
    where, speeds = rng.uniform(2, 5, (50, task.balls, 2)), rng.standard_normal((50, task.balls, 2)) * 0.3
    energy = np.square(speeds).sum(axis=(1, 2))
    for _ in range(300):
        where, speeds = task.moved(where, speeds)
    assert np.allclose(np.square(speeds).sum(axis=(1, 2)), energy)


def test_balls_of_equal_mass_that_meet_head_on_swap_their_speeds():
    task = evorrn.task("bouncing-balls", size=20)
    places = np.array([[[5.0, 10.0], [6.9, 10.0]]])
    speeds = np.array([[[0.4, 0.0], [-0.2, 0.0]]])
    _, after = task.moved(places, speeds)
    assert np.allclose(after, [[[-0.2, 0.0], [0.4, 0.0]]])
    _, apart = task.moved(places, -speeds)  # they part: nothing happens
    assert np.allclose(apart, -speeds)


def test_a_pixel_is_as_bright_as_its_distance_from_the_ball_says():
    task = evorrn.task("bouncing-balls", size=5, balls=1)
    picture = task.drawn(np.array([[1.5, 3.5]])).reshape(5, 5)
    assert picture[1, 3] == 1.0 and picture.max() == 1.0
    assert picture[3, 2] == pytest.approx(np.exp(-(4 + 1) / 2))
    two = evorrn.task("bouncing-balls", size=12).drawn(np.full((2, 2), 3.5))
    assert two.max() == 1.0  # balls at one place


def test_targets_are_the_next_frames_and_the_first_are_not_scored():
    task = evorrn.task("bouncing-balls", context=3, frames=10, train=4)
    batch = task.data(2).train
    assert np.array_equal(batch.inputs[:, 1:], batch.targets[:, :-1])
    assert batch.scored[:, 3:].all() and not batch.scored[:, :3].any()


def test_balls_that_do_not_fit_are_refused():
    with pytest.raises(ConfigError, match="balls that fit into the box"):
        evorrn.task("bouncing-balls", size=4, balls=5)
    with pytest.raises(ConfigError, match="balls that fit into the box"):
        evorrn.task("bouncing-balls", size=4, radius=2.0)
