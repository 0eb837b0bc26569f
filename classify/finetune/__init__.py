"""Learners that need torch. Nothing else in `classify` imports them."""
