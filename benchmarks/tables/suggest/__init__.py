"""``tables suggest``: labels asked for by `multilabel suggest`, beside images picked at random."""
