"""Vectors of texts, made by the network of a cache."""

from extract.texts import embed_texts, text_layer

__all__ = ["embed_texts", "text_layer"]
