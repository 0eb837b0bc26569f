"""What is checked before a file of a cache is believed."""
