"""The model: Lagrangian, internal energies, losses, readout, neurons."""
