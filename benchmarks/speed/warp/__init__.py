"""Measurement of ramp-loss WARP."""
