"""Logistic regression of many rows and many labels, beside an earlier version."""
