"""hydrodl: train a deep residual network as a compressible fluid.

Layers are time, features are space, each class is a density, the residual function is a velocity with a little noise.
Training is a mean-field control problem, posed in DOLFINx, discretised by one discrete action, solved by PETSc.

The public names and their homes stand in ``__init__.pyi``; each home is imported when one of its names is first used.

Example:
    The examples of all names go on from here.

    >>> from dataclasses import replace
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import hydrodl as hd
    >>> samples = hd.load_dataset("gaussians", n=60, seed=0)
    >>> domain = hd.Domain.around(samples, nodes=13)
    >>> rho = hd.densities(samples, domain)
    >>> problem = hd.Problem(domain, hd.layers(16), rho, hd.Lagrangian(noise=0.1), hd.Classification(weight=10.0))
    >>> solution = hd.train(problem)
    >>> network = hd.Network(solution)
    >>> network.accuracy(samples) > 0.9
    True
"""

from hydrodl.common import import_order  # noqa: F401, I001  (first: it orders the compiled libraries)

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
