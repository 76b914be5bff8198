"""What the README says of files is true of the repository."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_path_that_the_readme_names_is_there():
    text = (ROOT / "README.md").read_text()
    named = set(re.findall(r"\b(?:evorrn|tasks|tests)/[\w./-]*[\w/]", text))
    missing = [path for path in sorted(named) if not (ROOT / path).exists()]
    assert len(named) > 30 and not missing


def test_the_list_of_folders_is_the_order_of_imports():
    from test_imports import HOUSE

    text = (ROOT / "README.md").read_text()
    listed = re.findall(r"^evorrn/(\w+)(?:/|\.py) ", text, re.MULTILINE)
    order = [folder for folder in HOUSE if "." not in folder and folder != "__main__"]
    assert listed == order
