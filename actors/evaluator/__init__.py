"""Runs of programs: one process runs many at once, each on a thread of its own."""
