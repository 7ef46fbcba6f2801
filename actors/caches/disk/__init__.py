"""Folders with an LMDB file that one process writes: what the stores of exact results and of meanings share."""
