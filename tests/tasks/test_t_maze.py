"""The T-maze by hand: what is seen, what moves cost, and what noise changes."""

import numpy as np
import pytest

import evorrn
from evorrn.base.errors import ConfigError
from evorrn.training.playing import starts_of
from evorrn_tasks.t_maze import TMaze

NORTH, EAST, SOUTH, WEST = np.eye(4)


def walk(maze, start, actions):
    """Return what is seen before each action, the rewards, and whether the episode is over."""
    state, seen, rewards, done = np.array(start), [], [], False
    for action in actions:
        assert not done
        observation = np.full(3, np.nan)
        maze.observe(state, observation)
        seen.append(observation.tolist())
        reward, done = maze.step(state, np.asarray(action, dtype=np.float64))
        rewards.append(reward)
    return seen, rewards, done


@pytest.mark.parametrize("length", [1, 3])
@pytest.mark.parametrize(
    ("cue", "turn", "reward"), [(0, NORTH, 4.0), (0, SOUTH, -0.1), (1, NORTH, -0.1), (1, SOUTH, 4.0)]
)
def test_the_way_and_the_turn(length, cue, turn, reward):
    maze = TMaze(length=length)
    seen, rewards, done = walk(maze, starts_of(maze, 0).train[cue], [EAST] * length + [turn])
    assert seen == [[[0, 1, 1], [1, 1, 0]][cue]] + [[1, 0, 1]] * (length - 1) + [[0, 1, 0]]
    assert rewards == [0.0] * length + [reward] and done


def test_standing_still_costs_and_going_back_does_not():
    maze = TMaze(length=2)
    start = starts_of(maze, 0).train[0]
    seen, rewards, done = walk(
        maze, start, [WEST, NORTH, EAST, SOUTH, WEST, EAST, EAST, EAST, WEST, EAST, NORTH]
    )
    assert rewards == [-0.1, -0.1, 0, -0.1, 0, 0, 0, -0.1, 0, 0, 4.0] and done
    assert seen[5] == [0, 1, 1] == seen[0]  # the sign is seen again at the start


def test_the_first_of_the_largest_outputs_is_done_and_none_where_they_are_none():
    maze = TMaze(length=2)
    start = starts_of(maze, 0).train[0]
    assert walk(maze, start, [[1.0, 1.0, 0.0, 0.0]])[1] == [-0.1]  # north, into a wall
    assert walk(maze, start, [[0.0, 1.0, 1.0, 1.0], [-3.0, -2.0, -4.0, -2.0], [-1.0, -2.0, -1.0, -3.0]])[
        1
    ] == [0, 0, 4]
    assert walk(maze, start, [[np.nan] * 4])[1] == [-0.1]


def test_noise_hides_the_corridor_alone_and_differs_between_steps_and_starts():
    maze = TMaze(length=200, noise=True, time_limit=300, train=4)
    starts = starts_of(maze, 5).train
    seen = np.array([walk(maze, start, [EAST] * 200 + [NORTH])[0] for start in starts])
    np.testing.assert_array_equal(seen[:, 0], [[0, 1, 1], [1, 1, 0]] * 2)
    np.testing.assert_array_equal(seen[:, -1], [[0, 1, 0]] * 4)
    corridor = seen[:, 1:-1]
    assert (corridor[:, :, 1] == 0).all()
    noise = corridor[:, :, [0, 2]].ravel()
    assert len(np.unique(noise)) == noise.size and noise.min() > 0 and noise.max() < 1
    assert abs(noise.mean() - 0.5) < 4 / np.sqrt(12 * noise.size)
    again = walk(maze, starts[0], [EAST] * 200)[0]
    np.testing.assert_array_equal(again, seen[0, :-1])  # an episode depends on its start alone


def test_starts_take_turns_so_that_no_split_has_one_sign():
    starts = starts_of(TMaze(train=3, valid=2, test=6), 0)
    assert [states[:, 1].tolist() for states in (starts.train, starts.valid)] == [[1, -1, 1], [1, -1]]
    assert starts.test[:, 1].sum() == 0
    noisy = starts_of(TMaze(noise=True, test=6), 0)
    assert len(np.unique(np.concatenate([noisy.train, noisy.valid, noisy.test])[:, 3])) == 10


def test_success_is_the_best_return():
    assert TMaze().succeeded(np.array([4.0, 3.9, -0.1]), np.array([11, 12, 11])).tolist() == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"length": 50}, "task.time_limit: expected more than the length, 50"),
        ({"train": 1}, "task.train: expected a value >= 2"),
        ({"lenght": 5}, "did you mean 'length'"),
    ],
)
def test_junk_settings_are_told(settings, sentence):
    with pytest.raises(ConfigError, match=sentence):
        evorrn.task("t-maze", **settings)
