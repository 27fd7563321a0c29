"""A fleet to try Gantry with: the real agents, on engines that live in memory.

Everything of an agent but its engine is the one that runs on real hosts (agents/). `memory/` answers what the Docker
Engine API would; `plan/` says which hosts, stacks and containers there are, out of a seed; `life.py` is what happens
by itself, and `fleet.py` runs all agents in one process. Knows nothing of Django: to the console it is a fleet like
any other, and a few people with REST tokens.
"""
