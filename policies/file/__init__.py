"""The policy file: read, checked, compared, replaced while engines run."""
