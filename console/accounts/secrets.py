"""Secrets that are shown once and kept as a hash: join tokens, set-up links, REST tokens, agents' credentials.

They are 256 random bits, so a plain SHA-256 is enough: there is nothing to guess or to salt.
"""

from __future__ import annotations

import hashlib
import secrets


def make(prefix: str) -> str:
    """A new secret, `prefix` telling people (and secret scanners) what it is."""
    return f"{prefix}_{secrets.token_urlsafe(32)}"


def hash_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
