"""The images of a cache that look most like a given one."""
