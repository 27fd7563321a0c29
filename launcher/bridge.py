"""A network bridge of the private engine's own, so that two of them on one machine don't share docker0.

By ioctl (netdevice(7)): `ip` may not be installed.
"""

from __future__ import annotations

import fcntl
import ipaddress
import socket
import struct
from pathlib import Path

SIOCBRADDBR, SIOCBRDELBR = 0x89A0, 0x89A1
SIOCGIFFLAGS, SIOCSIFFLAGS = 0x8913, 0x8914
SIOCGIFADDR, SIOCSIFADDR, SIOCSIFNETMASK = 0x8915, 0x8916, 0x891C
IFF_UP = 0x1
# Far from what Docker takes by itself (172.17.0.0/16 and up, 192.168.0.0/16) and what homes use.
SUBNETS = [ipaddress.IPv4Network(f"10.213.{number}.0/24") for number in range(256)]


def ensure(name: str) -> None:
    """Make the bridge with an address of a free subnet, unless there is one by that name. Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        if not _exists(name):
            fcntl.ioctl(control, SIOCBRADDBR, _name(name))
        if not _has_address(control, name):
            subnet = _free_subnet()
            fcntl.ioctl(control, SIOCSIFADDR, _with_address(name, subnet[1]))
            fcntl.ioctl(control, SIOCSIFNETMASK, _with_address(name, subnet.netmask))
        _set_up(control, name, is_up=True)


def remove(name: str) -> None:
    """Remove the bridge; its absence is fine. Raises OSError."""
    if not _exists(name):
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        _set_up(control, name, is_up=False)
        fcntl.ioctl(control, SIOCBRDELBR, _name(name))


def _exists(name: str) -> bool:
    return Path(f"/sys/class/net/{name}").exists() or any(known == name for _, known in socket.if_nameindex())


def _name(name: str) -> bytes:
    return name.encode() + b"\0"


def _with_address(name: str, address: ipaddress.IPv4Address) -> bytes:
    sockaddr = struct.pack("=HH4s8x", socket.AF_INET, 0, address.packed)
    return struct.pack("16s16s8x", name.encode(), sockaddr)


def _has_address(control: socket.socket, name: str) -> bool:
    try:
        fcntl.ioctl(control, SIOCGIFADDR, struct.pack("16s24x", name.encode()))
    except OSError:
        return False
    return True


def _set_up(control: socket.socket, name: str, *, is_up: bool) -> None:
    answer = fcntl.ioctl(control, SIOCGIFFLAGS, struct.pack("16s24x", name.encode()))
    flags = struct.unpack_from("=H", answer, 16)[0]
    flags = flags | IFF_UP if is_up else flags & ~IFF_UP
    fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("=16sH22x", name.encode(), flags))


def _free_subnet() -> ipaddress.IPv4Network:
    taken = [ipaddress.IPv4Network(route) for route in _routes()]
    for subnet in SUBNETS:
        if not any(subnet.overlaps(other) for other in taken):
            return subnet
    raise OSError("no free subnet in 10.213.0.0/16")


def _routes() -> list[str]:
    """The machine's routes but the default one, as networks (/proc/net/route: little-endian hexadecimal)."""
    routes = []
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        fields = line.split()
        network, mask = (socket.inet_ntoa(struct.pack("=L", int(fields[column], 16))) for column in (1, 7))
        if mask != "0.0.0.0":
            routes.append(f"{network}/{mask}")
    return routes
