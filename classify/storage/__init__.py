"""Model files: what their bytes hold, and what their metadata may say."""
