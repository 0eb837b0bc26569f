"""Solvers: arrays in, coefficients and a certified gap out. They know no estimator and no label."""
