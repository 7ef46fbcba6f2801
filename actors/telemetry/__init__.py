"""What is measured, traced and logged where things run."""
