"""``tables rml``: ramp-loss WARP and other ranking losses."""
