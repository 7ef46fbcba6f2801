"""cluster: what users start."""
