"""What labeling tools export, in forms of their own: one reader per file."""
