"""Results by meaning: what was answered before to a call that says the same in other words."""
