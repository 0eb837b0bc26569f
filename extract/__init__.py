"""Stage one: images to a feature cache, once, with torch."""
