"""The static checker behind `rtfs check`; `rtfs.check.unit.check_unit` is the entry."""
