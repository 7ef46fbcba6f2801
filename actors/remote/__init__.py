"""Targets that are reached over HTTP: the caller, what can go wrong, and other RTFS runtimes."""
