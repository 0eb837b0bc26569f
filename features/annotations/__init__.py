"""Published annotations, turned into a folder with `labels.csv`: one reader per file."""
