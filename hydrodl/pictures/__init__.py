"""Figures and animations of data, networks, densities and analyses."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, ["plot"])
