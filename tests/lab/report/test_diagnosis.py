"""Pictures of what happens inside networks: what is on them, for networks of all forms."""

import numpy as np
import pytest

import evorrn
from evorrn.diagnostics.gradients import GradientByLag
from evorrn.diagnostics.states import StateSpace
from evorrn.lab.report.figures import inline_svg
from evorrn.lab.report.inside import draw_activity, draw_trajectories
from evorrn.lab.report.unrolled import WIDTH, draw_unrolled, unrolled_height
from evorrn.lab.study.diagnosis import Diagnosis

FORMS = {
    "plain": ({}, ["1 input", "4 units", "1 output", "W_h", "h"]),
    "layers": (
        {"cell": "lstm", "hidden": (3, 2), "reads": "all", "direct": True},
        ["3 units", "2 units", "U_i U_f U_g U_o", "h, c", "W_x"],
    ),
    "no inputs": ({"inputs": 0, "feedback": True, "cell": "jordan"}, ["h, c", "W_y"]),
    "many states": ({"cell": "ntm", "outputs": 3}, ["h … begun", "3 outputs"]),
}


@pytest.mark.parametrize("form", FORMS)
def test_an_unrolled_network_shows_sizes_states_and_weights(form):
    settings, texts = FORMS[form]
    network = evorrn.Network(**{"inputs": 1, "outputs": 1, "hidden": 4, **settings})
    svg = inline_svg(lambda axes: draw_unrolled(axes, network), WIDTH, unrolled_height(network), "a network")
    for text in [*texts, "t − 1", "t + 1", network.cell.name]:
        assert f">{text}<" in svg, text
    assert ("input<" in svg) == (network.inputs > 0)


@pytest.mark.parametrize(
    "values,ends",
    [
        (np.linspace(0, 1, 30).reshape(10, 3), ["0", "1"]),
        (np.linspace(0, 0.25, 30).reshape(10, 3), ["0", "0.25"]),
        (np.linspace(-2, 1, 120).reshape(10, 3, 4), ["−2", "0", "2"]),
        (np.zeros((10, 3)), ["0", "1"]),
        (np.full((10, 3), np.nan), ["−1", "0", "1"]),
    ],
)
def test_the_scale_of_an_activity_ends_at_its_largest_value_or_at_1(values, ends):
    svg = inline_svg(lambda axes: draw_activity(axes, "layer0.f", values, last=True), 6, 2, "activity")
    assert ">layer0.f<" in svg and ">time step<" in svg
    for end in ends:
        assert f">{end}<" in svg, end


def test_trajectories_name_the_shares_of_their_components():
    points = np.random.default_rng(0).normal(size=(3, 20, 2))
    svg = inline_svg(lambda axes: draw_trajectories(axes, points, np.array([0.7, 0.2])), 5, 4, "paths")
    assert "principal component 1 (70% of the variance)" in svg
    svg = inline_svg(lambda axes: draw_trajectories(axes, points[:, :, :1], np.array([1.0])), 5, 4, "paths")
    assert "time step" in svg


def test_figures_of_states_that_do_not_vary_and_of_gradients_that_are_not_finite_are_words():
    network = evorrn.Network(1, 1, hidden=3)
    space = StateSpace(0, float("nan"), float("nan"), np.zeros(3))
    gradients = GradientByLag.of(np.full((1, 1, 4), np.nan))
    made = Diagnosis(
        "r", network, network.init(seed=0), np.ones((1, 1, 1)), 1.0, gradients=gradients, space=space
    )
    assert list(made.figures()) == [("directions that the states fill", "0 of 3: they do not vary")]
