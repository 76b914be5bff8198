"""``evorrn reproduce``: what is listed, printed and refused."""

import json

from tiny import WALK

SMALL = """
title = "Small"
source = "nobody 1999"
seeds = 2

[[problems]]
name = "short two-sequence"
budget = { learned = 1.0, evaluations = 2000 }
task = { name = "two-sequence", shortest = 3, longest = 5, train = 8, valid = 4, test = 4 }
network = { cell = "elman", hidden = 2 }

[[problems.rows]]
method = "guessing"
published = 1e6
of = "nobody"
strategy = { name = "random", count = 16, width = 3.0 }
"""


def test_without_a_name_the_experiments_are_listed(console):
    said = console.type("reproduce")
    assert said.code == 0 and "pole-balancing" in said.out and "sines" in said.out
    assert {"name", "title", "source"} == set(json.loads(console.type("reproduce", "--json").out)[0])


def test_a_table_is_printed_and_told_as_json(console, tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    said = console.type("reproduce", path, "--jobs", "1")
    assert said.code == 0
    assert "better" in said.out and "1.00M" not in said.err
    assert "report: runs/reproductions/small/report.html" in said.out
    content = json.loads(console.type("reproduce", path, "--jobs", "1", "--json").out)
    assert content["findings"][0]["verdict"] == "better" and content["findings"][0]["solved"] == 2


def test_what_cannot_be_reproduced_is_refused(console, tmp_path):
    said = console.type("reproduce", "pole-balancin")
    assert said.code == 2 and "did you mean 'pole-balancing'" in said.err
    assert console.type("reproduce", "parity", "--seeds", "0").code == 2
    path = tmp_path / "small.toml"
    path.write_text(SMALL.replace("title", "titel"))
    said = console.type("reproduce", path)
    assert said.code == 2 and "did you mean 'title'" in said.err and "Traceback" not in said.err


def test_a_run_that_fails_leaves_its_mark_on_the_exit_code(console, tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(
        SMALL.replace('{ name = "random", count = 16, width = 3.0 }', f'{{ name = "{WALK}", breaks_at = 2 }}')
    )
    said = console.type("reproduce", path, "--jobs", "1")
    assert said.code == 1 and "the stride broke" in said.err
    assert "not reproduced" in said.out and "0 of 2" in said.out
