"""Passes over the IR: each takes a unit and gives a unit of the same meaning."""
