"""Caches of results: what is known already is not asked again."""
