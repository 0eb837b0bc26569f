"""``speed sweep``: fits, paths and whole sweeps beside their peers."""
