"""One HTML page about one's own data: results, labels, mistakes and where they come from."""
