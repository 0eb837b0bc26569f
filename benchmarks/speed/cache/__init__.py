"""``speed cache``: what a cache of up to ten million rows costs to open, check, read and resume."""
