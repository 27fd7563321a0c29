"""Networks of the engine in memory."""

from __future__ import annotations

import ipaddress

from demo.memory.lifecycle import Lifecycle
from demo.memory.state import ApiError, Document, Network

OWN = ("bridge", "host", "none")


def make_network(life: Lifecycle, body: Document, *, created: float | None = None) -> Network:
    """Raises ApiError."""
    state = life.state
    name, driver = str(body.get("Name") or ""), str(body.get("Driver") or "bridge")
    if any(network.name == name for network in state.networks.values()):
        raise ApiError(409, f"network with name {name} already exists")
    if driver not in ("bridge", "ipvlan", "macvlan", "host", "null"):
        raise ApiError(404, f"could not find plugin {driver} in v1 plugin registry: plugin not found")
    pools = (body.get("IPAM") or {}).get("Config") or []
    subnet = str(pools[0].get("Subnet") or "") if pools else ""
    gateway = str(pools[0].get("Gateway") or "") if pools else ""
    if subnet:
        _check_free(life, subnet)
    elif driver not in ("host", "null"):
        subnet = _next_subnet(life)
    if subnet and not gateway:
        gateway = str(next(ipaddress.ip_network(subnet).hosts()))
    network = Network(
        id=state.new_id(f"network {name}"),
        name=name,
        driver=driver,
        subnet=subnet,
        gateway=gateway,
        created=life.clock() if created is None else created,
        internal=bool(body.get("Internal")),
        attachable=bool(body.get("Attachable")),
        ipv6=bool(body.get("EnableIPv6")),
        labels=body.get("Labels") or {},
        options=body.get("Options") or {},
    )
    state.networks[network.id] = network
    life.emit("network", "create", network.id, {"name": name, "type": driver})
    return network


def remove_network(life: Lifecycle, network: Network) -> None:
    """Raises ApiError."""
    if network.name in OWN:
        raise ApiError(403, f"{network.name} is a pre-defined network and cannot be removed")
    if members := life.state.members(network):
        named = ", ".join(f'name:"{c.name}" id:"{c.id[:12]}"' for c in members[:10])
        raise ApiError(403, f"error while removing network: network {network.name} has active endpoints ({named})")
    del life.state.networks[network.id]
    life.emit("network", "destroy", network.id, {"name": network.name, "type": network.driver})


def _check_free(life: Lifecycle, subnet: str) -> None:
    wanted = ipaddress.ip_network(subnet)
    for network in life.state.networks.values():
        if not network.subnet:
            continue
        other = ipaddress.ip_network(network.subnet)
        if wanted.version == other.version and wanted.overlaps(other):
            raise ApiError(
                403,
                "invalid pool request: Pool overlaps with other one on this address space",
            )


def _next_subnet(life: Lifecycle) -> str:
    taken = {network.subnet for network in life.state.networks.values()}
    for second in range(17, 256):
        if (subnet := f"172.{second}.0.0/16" if second < 32 else f"10.{second}.0.0/16") not in taken:
            return subnet
    raise ApiError(400, "all predefined address pools have been fully subnetted")
