"""The policy in force for a whole runtime, its history, and the money spent under it."""
