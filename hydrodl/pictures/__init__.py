"""Figures and animations of data, networks, densities and analyses."""
