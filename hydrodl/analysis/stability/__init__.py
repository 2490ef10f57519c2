"""Stability of flows, training and networks, and the layers and nodes that follow."""
