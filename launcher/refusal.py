from __future__ import annotations


class Refusal(Exception):
    """Why a command can't go on: one sentence for the person, that says what to do."""
