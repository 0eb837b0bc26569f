"""Which images to label next: the uncertain ones of a model, unlike each other."""
