"""Tomita's languages against predicates of strings, and strings drawn from them against counts."""

import numpy as np
import pytest
from acceptors import MEMBERS, POSITIVES, SIZES, strings_up_to

from evorrn.automata import accepted_counts, draw_accepted, tomita_dfa
from evorrn.base.errors import UnknownName


@pytest.mark.parametrize("language", MEMBERS)
def test_each_language_accepts_its_members_among_all_strings_of_up_to_ten_symbols(language):
    strings = strings_up_to(10)
    assert len(strings) == 2047
    found = tomita_dfa(language).accepts(strings)
    assert found.tolist() == [MEMBERS[language](string) for string in strings]
    assert found.sum() == POSITIVES[language] == sum(accepted_counts(tomita_dfa(language), 10))


@pytest.mark.parametrize("language", MEMBERS)
def test_each_automaton_is_minimal_and_numbered_in_order_of_reach(language):
    dfa = tomita_dfa(language)
    assert dfa.states == SIZES[language] and dfa.symbols == ("0", "1")
    assert (dfa.minimised().transitions == dfa.transitions).all()


def test_no_two_languages_are_the_same():
    for a in MEMBERS:
        for b in MEMBERS:
            found = tomita_dfa(a).difference(tomita_dfa(b))
            assert (found is None) == (a == b)
            assert found is None or MEMBERS[a](found) != MEMBERS[b](found)


@pytest.mark.parametrize("language", [0, 8, "1"])
def test_another_number_is_refused(language):
    with pytest.raises(UnknownName, match="language"):
        tomita_dfa(language)


@pytest.mark.parametrize("language", MEMBERS)
def test_drawn_strings_belong_and_are_uniform_on_those_of_their_length(language):
    for dfa, belongs in ((tomita_dfa(language), True), (tomita_dfa(language).complement(), False)):
        drawn = draw_accepted(dfa, np.random.default_rng(language), 4000, longest=6, shortest=5).texts("01")
        assert all(MEMBERS[language](string) is belongs for string in drawn)
        members = [
            string for string in strings_up_to(6) if len(string) >= 5 and MEMBERS[language](string) == belongs
        ]
        assert set(drawn) == set(members)
        for length in (5, 6):
            of_length = [string for string in members if len(string) == length]
            counts = np.array([drawn.count(string) for string in of_length])
            if len(of_length) > 1:  # chi-squared, five standard deviations above its mean
                expected = counts.sum() / len(counts)
                assert ((counts - expected) ** 2 / expected).sum() < len(counts) + 5 * np.sqrt(
                    2 * len(counts)
                )


def test_long_strings_are_drawn_from_exact_counts():
    counts = accepted_counts(tomita_dfa(4), 600)
    assert counts[:4] == [1, 2, 4, 7] and counts[600] == counts[599] + counts[598] + counts[597]
    drawn = draw_accepted(tomita_dfa(4), np.random.default_rng(0), 5, longest=600, shortest=600)
    assert all("000" not in string and len(string) == 600 for string in drawn.texts("01"))


def test_a_language_without_a_string_of_the_lengths_gives_none():
    assert draw_accepted(tomita_dfa(2), np.random.default_rng(0), 5, longest=3, shortest=3) is None
