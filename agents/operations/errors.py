"""The engine's errors as sentences that say what to do. The engine's own words follow, bounded and cleaned."""

from __future__ import annotations

import re

from agents.engine import EngineError
from agents.operations.job import Failed, Result

# The first line whose words are found in the engine's message gives the advice.
_ADVICE: dict[str, str] = {
    "port is already allocated|address already in use|failed to bind host port": (
        "The host port is in use: choose another one, or stop what uses it."
    ),
    "container name .*already in use": (
        "There is already a container of this name on the host: choose another name, or remove that container."
    ),
    "no such image|image not known": "There is no such image on this host: pull it first, or check its name.",
    "manifest for .* not found|manifest unknown|failed to resolve reference .*not found": (
        "The registry has no such image: check the name and the tag."
    ),
    "repository does not exist|pull access denied|authorization failed|unauthorized|resource is denied": (
        "The registry has no such repository, or asks for credentials: check the name and the access."
    ),
    "toomanyrequests|429 too many requests": (
        "The registry limits how often this host may pull: wait, or log in to the registry."
    ),
    "no matching manifest|does not match the specified platform": (
        "The registry has no image for this platform: check the platform."
    ),
    "no such host|connection refused|i/o timeout|no route to host|network is unreachable|tls handshake"
    "|server gave http response|connection reset|context deadline exceeded": (
        "The registry can't be reached from this host: check its address and the network."
    ),
    "no space left on device|disk quota exceeded": "The disk of the host is full: free some space and ask again.",
    "bind source path does not exist": "The path to mount does not exist on the host: create it first.",
    "executable file not found|no such file or directory": "The command is not in the image: check the command.",
    "pool overlaps|conflicts with network|overlaps with|subnet .* is already used|bridge with the same": (
        "The subnet overlaps with another network of the host: choose another one."
    ),
    "network with name .* already exists|network name .* already|network already exists": (
        "There is already a network of this name on the host: choose another name."
    ),
    "has active endpoints|network .*in use|has associated containers": (
        "The network is in use: disconnect or remove its containers first."
    ),
    "volume is in use|volume .*being used": "The volume is in use: remove the containers that use it first.",
    "being used by (running|stopped)|image is in use|must be forced|must force|is in use by a container": (
        "The image is in use or has several names: remove its containers first, or ask with force."
    ),
    # Before the next, whose words are in Podman's message on killing one that has ended.
    "is not running|can only kill": "The container does not run: start it first.",
    "running container|container .* is running|as it is running|stop the container before": (
        "The container runs: stop it first, or ask with force."
    ),
    "already in progress": "The container is being removed already: wait a moment.",
    "is paused": "The container is paused: unpause it first.",
    "pre-defined network|predefined network|builtin network": "This network belongs to the engine and stays.",
    "no such container|no container with name or id": "The container is gone: it was removed.",
    "no such network|network .*not found": (
        "There is no such network on this host: create it first, or check its name."
    ),
    "no such volume|no volume with name": "The volume is gone: it was removed.",
    "invalid signal": "The engine does not know this signal: use one such as SIGTERM or 15.",
}
_COMPILED = [(re.compile(words, re.IGNORECASE), advice) for words, advice in _ADVICE.items()]
_FULL_ID = re.compile(r"\b[0-9a-f]{64}\b")


def explain(message: str) -> str:
    """What to do, where the cause is known, then the engine's words; ids of other objects cut short."""
    said = _FULL_ID.sub(lambda match: match[0][:12], message)
    said = said if said.endswith((".", "!", "?")) else said + "."
    advice = next((text for pattern, text in _COMPILED if pattern.search(message)), "")
    return f"{advice} The engine says: {said}" if advice else f"The engine says: {said}"


def failed(error: EngineError, result: Result | None = None) -> Failed:
    """How the operation ends because of the engine's error."""
    return Failed(explain(error.message), result)
