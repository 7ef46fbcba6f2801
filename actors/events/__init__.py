"""Events: what changed, told to whoever wants to know."""
