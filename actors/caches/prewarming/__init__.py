"""Calls that are likely to come, asked for before they do, so that their answers are known then."""
