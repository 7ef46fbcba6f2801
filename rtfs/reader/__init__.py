"""Text → forms. Tokens and grammar on SLY; `read` and `is_complete` are the entries."""

from rtfs.reader.entry import is_complete, read

__all__ = ["is_complete", "read"]
