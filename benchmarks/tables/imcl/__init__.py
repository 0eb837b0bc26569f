"""``tables imcl``: partial labels, IMCL and its rivals."""
