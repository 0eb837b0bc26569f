"""Synthetic images and labels."""
