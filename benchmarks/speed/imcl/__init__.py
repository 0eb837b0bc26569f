"""Measurement of IMCL."""
