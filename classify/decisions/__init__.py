"""From scores to probabilities and decisions, both learned from out-of-fold scores."""
