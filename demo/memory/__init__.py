"""An engine that lives in memory and answers the part of the Docker Engine API that agents use.

Names, shapes, states and error messages are those of a real engine (28.5, but for what is said otherwise).
"""
