"""Structural types (language.md §5): the words are in `rtfs.types.model`; one module per thing done with it."""
