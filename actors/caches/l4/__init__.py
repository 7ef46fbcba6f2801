"""Code as a cache entry: modules that were compiled and signed before, by the hash of their bytes."""
