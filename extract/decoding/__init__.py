"""One image file to 8-bit RGB pixels: formats, sample ranges, damage, and bounded memory."""
