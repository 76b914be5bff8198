"""What the README says of files is true of the repository."""

import re
from pathlib import Path

from evorrn.testing import check_cell

ROOT = Path(__file__).parents[1]


def test_every_path_that_the_readme_names_is_there():
    text = (ROOT / "README.md").read_text()
    named = set(re.findall(r"\b(?:evorrn|tasks|tests)/[\w./-]*[\w/]", text))
    missing = [path for path in sorted(named) if not (ROOT / path).exists()]
    assert len(named) > 30 and not missing


def test_every_experiment_that_the_readme_names_is_there():
    from evorrn.lab.sweep.experiment import experiments

    text = (ROOT / "README.md").read_text()
    named = set(re.findall(r"\breproduce ([a-z0-9][\w-]*)`?", text))
    assert len(named) > 10 and not named - set(experiments())


def test_the_list_of_folders_is_the_order_of_imports():
    from test_imports import HOUSE

    text = (ROOT / "README.md").read_text()
    listed = re.findall(r"^evorrn/(\w+)(?:/|\.py) ", text, re.MULTILINE)
    order = [folder for folder in HOUSE if "." not in folder and folder != "__main__"]
    assert listed == order


def test_the_cell_with_a_memory_that_the_readme_shows_is_a_cell(tmp_path):
    text = (ROOT / "README.md").read_text()
    (source,) = re.findall(r"```python\n(# machine\.py\n.*?)```", text, re.DOTALL)
    (tmp_path / "machine.py").write_text(source)
    check_cell(f"{tmp_path / 'machine.py'}:machine")
