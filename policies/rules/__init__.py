"""A policy made ready for decisions: which rules a call meets, what hard rules forbid, what is worth most."""
