"""Measurements: one a module or folder, its peers beside it."""
