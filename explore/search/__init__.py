"""Search: good points of spaces too large to list (docs/search.md)."""
