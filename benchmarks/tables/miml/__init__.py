"""``tables miml``: logistic regression beside the MIML paper's Table 1."""
