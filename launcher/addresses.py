"""The console's address: where it listens, and how people, agents and this machine reach it."""

from __future__ import annotations

import errno
import ipaddress
import json
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

from launcher.refusal import Refusal

# For finding the machine's own address: nothing is sent there (RFC 5737 keeps it for documentation).
ELSEWHERE = ("192.0.2.1", 9)


@dataclass(frozen=True, slots=True)
class Address:
    """Where `up` listens. `public_url` is what people open; `local_url` what this machine itself uses."""

    host: str
    port: int
    public_url: str
    local_url: str
    allowed_hosts: str


def address(host: str, port: int) -> Address:
    is_everywhere = host in ("", "0.0.0.0", "::", "*")
    local_host = {"::": "::1"}.get(host, "127.0.0.1") if is_everywhere else host
    public_host = _own_address() if is_everywhere else host
    public_url = os.environ.get("GANTRY_PUBLIC_URL") or f"http://{_bracketed(public_host)}:{port}"
    hosts = {_bracketed(host), "localhost", "127.0.0.1", "[::1]", _host_of(public_url)}
    return Address(
        host="0.0.0.0" if host in ("", "*") else host,
        port=port,
        public_url=public_url.rstrip("/"),
        local_url=f"http://{_bracketed(local_host)}:{port}",
        allowed_hosts=os.environ.get("GANTRY_ALLOWED_HOSTS") or ("*" if is_everywhere else ",".join(sorted(hosts))),
    )


def check_free(where: Address) -> None:
    """Raises Refusal when nothing can listen there."""
    is_v6 = ":" in where.host
    try:
        with socket.socket(socket.AF_INET6 if is_v6 else socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((where.host, where.port))
            probe.listen(1)
    except socket.gaierror as error:
        raise Refusal(f"{where.host!r} is no address of this machine: give one with --host.") from error
    except OverflowError as error:
        raise Refusal(f"{where.port} is no port: give one from 1 to 65535 with --port.") from error
    except OSError as error:
        raise Refusal(_why_not(where, error)) from error


def _why_not(where: Address, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {where.port} on {where.host} is in use by another program: "
            "stop that one, or choose another port with --port."
        )
    if error.errno == errno.EACCES:
        return f"Only root may listen on port {where.port}: choose one above 1023 with --port."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{where.host} is no address of this machine: give one of its own with --host."
    return f"Nothing can listen on {where.host}, port {where.port} ({error.strerror}): choose others."


def save(where: Address, file: Path) -> None:
    """Keep the address for commands that make links, like `createadmin`."""
    file.write_text(json.dumps(asdict(where), indent=1) + "\n")


def saved(file: Path) -> Address | None:
    try:
        return Address(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def environment(where: Address) -> dict[str, str]:
    return {"GANTRY_PUBLIC_URL": where.public_url, "GANTRY_ALLOWED_HOSTS": where.allowed_hosts}


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _host_of(url: str) -> str:
    authority = url.split("://", 1)[-1].split("/", 1)[0]
    if authority.startswith("["):
        return authority.split("]", 1)[0] + "]"
    return authority.rsplit(":", 1)[0]


def _own_address() -> str:
    """The address that this machine uses towards others, else its name."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(ELSEWHERE)
            own = str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()
    return own if not ipaddress.ip_address(own).is_unspecified else socket.gethostname()
