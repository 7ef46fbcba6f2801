"""The command line. `main` imports only what the command at hand uses, so that a small program starts fast."""
