"""What a discrete flow conserves, what it really solves, and how stable it is.

The public names and their homes stand in ``__init__.pyi``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
