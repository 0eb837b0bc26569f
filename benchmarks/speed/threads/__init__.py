"""``speed threads``: extraction on a machine that others use too, by how threads wait."""
