"""Engines: who decides where a call runs. `protocol` says what one is, `standard` joins the usual ones."""
