"""Multi-instance multi-label baselines: estimators of bags, one method per module."""
