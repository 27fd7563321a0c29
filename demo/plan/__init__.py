"""Which hosts, stacks, services and images there are. Made up, and the same for the same seed."""
