"""Layers and meshes placed where the solution needs them."""
