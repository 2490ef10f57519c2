"""hydrodl: train a deep residual network as a compressible fluid.

Layers are time, features are space, each class is a density, the residual function is a velocity with a little noise.
Training is a mean-field control problem, posed in DOLFINx, discretised by one discrete action, solved by PETSc.

The public names and their homes stand in ``__init__.pyi``; each home is imported when one of its names is first used.
"""

from hydrodl.common import import_order  # noqa: F401, I001  (first: it orders the compiled libraries)

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
