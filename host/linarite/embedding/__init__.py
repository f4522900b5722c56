"""A host inside a Python program: `linarite.EmbeddedHost` and `linarite.AsyncEmbeddedHost`."""
