"""The base of quantities that experiments compute without training."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from evorrn.base.settings import Settings, plain


@dataclass(frozen=True)
class Quantity(Settings):
    """Base class of quantities; the fields are settings of the network and of the computation."""

    title: ClassVar[str]

    @abstractmethod
    def compute(self, seed: int) -> float:
        """Return the quantity of the network that a seed draws."""

    def settings(self) -> dict[str, Any]:
        """Return the settings as plain data."""
        return {name: plain(value) for name, value in vars(self).items()}
