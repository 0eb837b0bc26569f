"""The choice of learner, scaling and C inside the training rows."""
