"""What a discrete flow conserves, what it really solves, and how stable it is.

The public names and their homes stand in ``__init__.pyi``.

Example:
    The examples of all names go on from here, and from those of ``hydrodl``: the flow of a box scheme, and a wave.

    >>> flow = hd.Flow.of(hd.train(replace(problem, scheme="euler-box")))
    >>> line = hd.Domain.interval(0.0, 1.0, nodes=17)
    >>> x = line.coordinates[: line.owned, 0]
    >>> gas = hd.Lagrangian(noise=1e-3, decay=0.0, smoothness=0.0, energy=hd.Focusing(weight=1.0))
    >>> wave = hd.evolve(line, hd.layers(16, depth=0.2), gas, [1 + 0.01 * np.cos(np.pi * x)], [0 * x])
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
