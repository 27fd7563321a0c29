"""What the apps above the link do with an agent's messages; `asgi.py` wires them by name.

The link itself knows streams and heartbeats. Everything that ends in a row goes to the receivers,
one instance each per link, always in the one writer thread and in the order of arrival. What they
return is sent back to the agent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from agents.protocol import Hello, Message
from console.hosts.models import Host


class Receiver(Protocol):
    def opened(self, hello: Hello) -> Sequence[Message]:
        """The link is open, the host's row is up to date."""
        ...

    def receive(self, message: Message) -> Sequence[Message]:
        """Raises ProtocolError where the agent broke the rules: the link is closed then."""
        ...

    def woken(self) -> Sequence[Message]:
        """Something in the database may be waiting for this host."""
        ...


_factories: list[Callable[[Host], Receiver]] = []


def register(factory: Callable[[Host], Receiver]) -> None:
    if factory not in _factories:
        _factories.append(factory)


def for_host(host: Host) -> list[Receiver]:
    return [factory(host) for factory in _factories]
