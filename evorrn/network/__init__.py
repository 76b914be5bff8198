"""Networks: layers of cells under a linear readout, whose weights are one vector."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs={"network": ["Network"]})
