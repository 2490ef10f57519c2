"""Sweeps through the layers and the linear algebra below them."""
