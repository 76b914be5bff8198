"""Networks: layers of cells and a linear readout, whose weights are stored in one vector, the genome."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs={"network": ["Network"]})
