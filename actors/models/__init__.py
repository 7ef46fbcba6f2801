"""Models on this machine: what one is, the kinds there are, and the host that runs one in an actor."""
