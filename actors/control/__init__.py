"""The registry of a runtime: which parts it has, whether they live, and the hub for events among them."""
