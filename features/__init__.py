"""The contract between the stages: what an index, a cache and a split are. Knows no torch."""
