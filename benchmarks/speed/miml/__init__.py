"""Measurement of the multi-instance methods."""
