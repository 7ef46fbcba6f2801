"""Delegated calls on their way: stubs and guards, chains of targets, health, money, what is observed."""
