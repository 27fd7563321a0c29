"""Installs, starts and supervises Gantry's parts.

Pure standard library: it runs before anything is installed. It imports nothing of `console/` or `agents/`.
"""
