"""What a run records of where it ran."""

import json
import platform

import numpy as np

import evorrn
from evorrn.lab.runs import environment


def test_the_description_is_plain_data_with_all_that_repeating_needs(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    found = json.loads(json.dumps(environment.describe()))
    assert found["evorrn"] == evorrn.__version__ and found["python"] == platform.python_version()
    assert found["distributions"]["numpy"] == np.__version__ and found["cpu_features"]
    assert found["job"] == {"SLURM_JOB_ID": "4711"} and found["threads"]["OMP_NUM_THREADS"] == "3"
    assert set(environment.BITS) <= set(found)


def test_differences_are_those_that_bits_depend_on():
    now = environment.describe()
    before = {**now, "host": "elsewhere", "python": "2.7", "numba": "0.1", "results_version": 0}
    assert [text.split(":")[0] for text in environment.differences(before, now)] == [
        "results_version",
        "numba",
    ]
    assert environment.differences({}, now) == [] and environment.differences(now, now) == []


def test_a_copy_outside_its_repository_has_no_commit(tmp_path, monkeypatch):
    (tmp_path / "evorrn").mkdir()
    monkeypatch.setattr(evorrn, "__file__", str(tmp_path / "evorrn" / "__init__.py"))
    assert environment._git() is None
