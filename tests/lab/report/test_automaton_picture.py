"""The picture of an automaton: one rim for each state and a second for accepting ones, labels, and the same bytes."""

import numpy as np
import pytest

from evorrn.automata import DFA, tomita_dfa
from evorrn.lab.report.automaton import automaton_plot, draw_automaton
from evorrn.lab.report.figures import sheet


@pytest.mark.parametrize("states", [1, 2, 7, 30])
def test_states_and_arrows_are_inside_the_picture(states, tmp_path):
    from matplotlib.patches import Circle, FancyArrowPatch

    rng = np.random.default_rng(states)
    dfa = DFA(
        rng.integers(-1, states, (states, 2)), rng.random(states) < 0.5, int(rng.integers(states)), "ab"
    )
    with sheet(tmp_path / "a.svg", 5, 5) as (axes,):
        draw_automaton(axes, dfa)
        rims = [patch for patch in axes.patches if isinstance(patch, Circle)]
        assert len(rims) == states + dfa.accepting.sum()
        pairs = {(state, to) for state, row in enumerate(dfa.transitions.tolist()) for to in row if to >= 0}
        assert len([patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]) == len(pairs)
        written = [text.get_text() for text in axes.texts]
        assert set(written) >= {str(state) for state in range(states)}
        (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
        for text in axes.texts:
            x, y = text.get_position()
            assert left <= x <= right and low <= y <= high


def test_the_same_automaton_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        automaton_plot(tomita_dfa(3), tmp_path / f"{name}.svg", "third")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
