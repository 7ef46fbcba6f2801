"""The commands `rtfs policy` and `rtfs explain`."""
