"""Sweeps and extractions on a Dask scheduler and workers in processes of their own."""
