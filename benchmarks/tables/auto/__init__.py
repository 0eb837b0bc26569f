"""``tables auto``: what ``fit`` chooses by itself, beside every choice that a user could make."""
