"""Schrödinger bridges between densities, snapshots at several times, and distances between samples."""
