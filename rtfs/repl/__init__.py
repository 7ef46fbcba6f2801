"""The prompt: a session loop over any streams, and an editor for terminals on top of it."""
