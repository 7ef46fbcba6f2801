"""What is learnt from outcomes: choices among targets, load of replicas, what to warm up."""
