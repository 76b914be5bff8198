"""The made-up sweep as a study, and an index of its own for every test."""

import pytest
from made_sweep import write_sweep

from evorrn.lab.runs import index
from evorrn.lab.study.study import make_study
from evorrn.lab.sweep.results import read_results


@pytest.fixture(autouse=True)
def own_index(tmp_path, monkeypatch):
    monkeypatch.setattr(index, "index_path", lambda: tmp_path / "cache" / "runs.sqlite")


@pytest.fixture
def study(tmp_path):
    return make_study(read_results(write_sweep(tmp_path)))
