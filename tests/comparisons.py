"""A made-up comparison, with everything that a real one can show: failures, losers, several baselines."""

from __future__ import annotations

import json

import numpy as np

from evorrn.base.files import npz_bytes, write_atomic
from evorrn.lab.runs.outputs import Predictions
from evorrn.lab.study.comparison import Comparison
from evorrn.lab.study.curves import Curve
from evorrn.lab.study.ranking import make_baselines, make_differences, make_row, rank
from evorrn.training.history import save_history

CENTRES = {"ga": 0.42, "esn": 0.33, "bptt": 0.36, "random": 0.92}


def made_up(seeds=10, *, metric="nrmse_std", failed=1, centres=None, seed=0):
    """Return a comparison of four strategies whose medians are known roughly."""
    rng = np.random.default_rng(seed)
    rows = []
    for name, centre in (CENTRES if centres is None else centres).items():
        values = centre * np.exp(rng.normal(0, 0.06, size=seeds))
        if name == "ga" and failed:
            values[:failed] = np.nan
        rows.append(
            make_row(
                name,
                metric,
                values,
                network={"cell": "leaky" if name == "esn" else "elman", "hidden": 16, "genes": 321},
                costs=[{"work": 5.1e9, "steps": 1e7, "seconds": 2.5}] * seeds,
                settings={"name": name, "population": 64, "rate": 0.1},
                runs=[f"sunspots/{name}-elman/{i:016x}" for i in range(seeds)],
            )
        )
    rows = rank(rows, metric)
    return Comparison(
        task={"name": "sunspots", "version": 1, "horizon": 1, "seed_changes": "training"},
        budget="5G",
        metric=metric,
        seeds=tuple(range(seeds)),
        rows=tuple(rows),
        baselines=tuple(
            make_baselines(
                {
                    "persistence": [0.61] * seeds,
                    "mean": [1.02] * seeds,
                    "linear autoregression": [0.38] * seeds,
                },
                metric,
            )
        ),
        differences=tuple(make_differences(rows, metric)),
        references=({"value": 0.35, "metric": "nrmse_std", "conditions": "AR(9)", "source": "Someone 1990"},),
        command="evorrn compare sunspots --budget 5G --seeds 10",
        environment={"python": "3.11.7", "cpu": "made up"},
        report="runs/comparisons/ab12/report.html",
    )


def made_up_curves(seeds=10, *, seed=0):
    """Return validation losses against work for the strategies of `made_up`."""
    rng = np.random.default_rng(seed)
    curves = {}
    for name, centre in CENTRES.items():
        runs = []
        for _ in range(seeds):
            spent = np.cumsum(rng.uniform(0.5, 1.5, size=60)) * 8e7
            loss = centre**2 * (1 + 8 * np.exp(-np.arange(60) / 9)) * np.exp(rng.normal(0, 0.15, 60))
            runs.append(Curve(spent, loss))
        curves[name] = runs
    return curves


def made_up_predictions(*, seed=0):
    """Return predictions of a noisy wave, the first steps unscored."""
    rng = np.random.default_rng(seed)
    truth = 60 + 50 * np.sin(np.arange(90) / 1.75)[None, :, None]
    scored = np.ones((1, 90), dtype=bool)
    scored[:, :25] = False
    return Predictions(truth, truth + rng.normal(0, 9, truth.shape), scored)


def write_runs(comparison, root, *, seed=0):
    """Write the files of every run of `made_up` that a report reads; failed runs leave only a status."""
    curves = made_up_curves(len(comparison.seeds), seed=seed)
    for row in comparison.rows:
        for place, folder in enumerate(row.runs):
            path = root / folder
            if not np.isfinite(row.values[place]):
                write_atomic(path / "status.json", json.dumps({"status": "failed", "error": "made to fail"}))
                continue
            curve = curves[row.strategy][place]
            history = {"work": curve.spent, "train_loss": curve.loss / 2, "valid_loss": curve.loss}
            save_history(path, history, curve.spent / 2e9)
            shown = made_up_predictions(seed=place)
            write_atomic(
                path / "predictions.npz",
                npz_bytes({n: getattr(shown, n) for n in ("truth", "predicted", "scored")}),
            )
            content = {"stopped_by": "work", "meter": {"work": 5.1e9}, "times": {"seconds": 2.5}}
            write_atomic(path / "result.json", json.dumps(content))
