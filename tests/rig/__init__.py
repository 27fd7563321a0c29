"""Real Docker hosts for tests: network namespaces of this machine, each with an engine of its own."""
