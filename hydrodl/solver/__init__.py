"""Sweeps through all layers, forwards, backwards and linearised; marching from an initial state."""
