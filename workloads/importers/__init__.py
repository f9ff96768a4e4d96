"""Ways in: foreign descriptions of networks, read into graphs (with numbers) or layers (shapes only)."""
