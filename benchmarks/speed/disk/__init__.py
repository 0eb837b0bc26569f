"""Fits to caches larger than the memory of their process."""
