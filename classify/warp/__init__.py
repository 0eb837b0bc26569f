"""Ramp-loss WARP (RMLC, SS-RMLC): its taggers and what only they need."""
