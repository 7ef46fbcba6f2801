"""actors: where things run."""
