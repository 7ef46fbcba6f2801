"""Structural types (language.md §5): the vocabulary is `rtfs.types.model`; one module per thing done with it."""
