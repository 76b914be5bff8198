"""Fitness of many individuals on one long series: nothing to put side by side but individuals and units."""

from __future__ import annotations

from evorrn.bench.group import Group
from evorrn.bench.population import TWICE, Case, measure

GROUP = Group(
    "long-series",
    "fitness of P individuals on one series of T time steps, float32",
    tuple(
        Case(
            "elman",
            hidden,
            256,
            sequences=1,
            steps=3000,
            inputs=1,
            targets=TWICE,
            peers=("jax",),
            product=False,
        )
        for hidden in (16, 32)
    ),
    measure,
)
