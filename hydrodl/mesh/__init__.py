"""Feature space and depth: meshes, layers, point location, interpolation, integrals."""
