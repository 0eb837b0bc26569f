"""What `python -m features` does with a cache: look at it, check it, merge it, export it."""
