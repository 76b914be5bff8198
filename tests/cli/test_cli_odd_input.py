"""Odd input: a byte-order mark, names that no file can have. A sentence and exit code 2, or it just works."""

import pytest
from tiny import WALK, WAVE


def test_files_in_toml_may_begin_with_a_byte_order_mark(console, tmp_path):
    """As some editors write them: a spec, and a sweep with its results and its second run."""
    spec = f'budget = "2gen"\n[task]\nname = "{WAVE}"\n[strategy]\nname = "{WALK}"\n'
    (tmp_path / "mine.toml").write_text(spec, encoding="utf-8-sig")
    assert console.type("run", "mine.toml", "--quiet").code == 0
    sweep = f'name = "walks"\nseeds = 1\n[base]\nbudget = "2gen"\n[base.task]\nname = "{WAVE}"\n[axes]\n"strategy.name" = ["{WALK}"]\n'
    (tmp_path / "walks.toml").write_text(sweep, encoding="utf-8-sig")
    for _ in range(2):
        said = console.type("sweep", "run", "walks.toml", "--jobs", 1)
        assert said.code == 0, said.err
    assert console.type("results", "walks.toml").code == 0


@pytest.mark.parametrize("name", ["x" * 3000, "a\0b", "x/" * 2000, "\udcff", "."])
@pytest.mark.parametrize(
    "command",
    ["report", "results", "show", "predict", "forecast", "run", "compare", "run --continue", "diff"],
)
def test_names_that_no_folder_can_have_are_wrong_input(console, command, name):
    words = {"predict": (name, "x.csv"), "diff": (name, name), "run --continue": (name, "--budget", "9G")}
    said = console.type(*command.split(), *words.get(command, (name,)))
    assert said.code == 2 or (command, name) == ("results", "."), said.err
    assert "unexpected" not in said.err and "Traceback" not in said.err
