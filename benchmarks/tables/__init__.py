"""The papers' tables: one folder a paper."""
