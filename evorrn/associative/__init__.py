"""Associative memories: Hopfield networks, bidirectional memories, and stochastic ones with Markov jumps."""

from evorrn.associative.bam import BAM
from evorrn.associative.continuous import ContinuousHopfield
from evorrn.associative.curves import basins, capacity, pair_basins
from evorrn.associative.hopfield import Hopfield
from evorrn.associative.modern import ModernHopfield
from evorrn.associative.stochastic_bam import StochasticBAM

__all__ = [
    "BAM",
    "ContinuousHopfield",
    "Hopfield",
    "ModernHopfield",
    "StochasticBAM",
    "basins",
    "capacity",
    "pair_basins",
]
