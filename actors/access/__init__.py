"""Who may do what: bearer tokens, and the callers that they stand for."""
