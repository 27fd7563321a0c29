"""The engine's documents on its objects (Engine API: ContainerInspect, ContainerList, ImageList, …)."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from demo.memory.state import Container, Document, Image, Network, State, Volume

NEVER = "0001-01-01T00:00:00Z"
HEALTH_LOG = 5


def time_text(at: float) -> str:
    """RFC 3339 with nanoseconds, as the engine writes times."""
    whole = int(at)
    fraction = f"{at - whole:.9f}"[2:].rstrip("0")
    text = datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{fraction}Z" if fraction else f"{text}Z"


def mac_of(engine_id: str, network: str) -> str:
    digits = hashlib.sha256(f"{engine_id}{network}".encode()).hexdigest()
    return "02:42:" + ":".join(digits[at : at + 2] for at in range(0, 8, 2))


def container(state: State, c: Container, now: float) -> Document:
    """`GET /containers/{id}/json`."""
    entrypoint, command = c.body.get("Entrypoint"), c.body.get("Cmd")
    words = [*(entrypoint or []), *(command or [])] or ["sh"]
    return {
        "Id": c.id,
        "Created": time_text(c.created),
        "Path": words[0],
        "Args": words[1:],
        "State": _state(c, now),
        "Image": c.image,
        "ResolvConfPath": f"/var/lib/docker/containers/{c.id}/resolv.conf",
        "HostnamePath": f"/var/lib/docker/containers/{c.id}/hostname",
        "HostsPath": f"/var/lib/docker/containers/{c.id}/hosts",
        "LogPath": f"/var/lib/docker/containers/{c.id}/{c.id}-json.log",
        "Name": f"/{c.name}",
        "RestartCount": c.restart_count,
        "Driver": state.facts.storage_driver,
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "docker-default",
        "ExecIDs": None,
        "HostConfig": _host_config(c),
        "GraphDriver": {"Data": None, "Name": state.facts.storage_driver},
        "Mounts": c.mounts,
        "Config": _config(c),
        "NetworkSettings": {
            "Bridge": "",
            "SandboxID": c.id[::-1] if c.is_running else "",
            "Ports": _ports(c) if c.is_running else {},
            "Networks": {name: _endpoint(state, c, name) for name in c.endpoints},
        },
    }


def _state(c: Container, now: float) -> Document:
    run = c.run
    restarting = c.status == "restarting"
    document: Document = {
        "Status": c.status,
        "Running": c.is_running or restarting,
        "Paused": c.status == "paused",
        "Restarting": restarting,
        "OOMKilled": bool(run and run.oom_killed),
        "Dead": c.status == "dead",
        "Pid": pid_of(c) if c.is_running else 0,
        "ExitCode": run.exit_code if run and run.ended is not None else (127 if c.error and not run else 0),
        "Error": c.error,
        "StartedAt": time_text(run.began) if run else NEVER,
        "FinishedAt": _finished(c),
    }
    if c.health:
        document["Health"] = health(c, now)
    return document


def _finished(c: Container) -> str:
    ended = [run.ended for run in c.runs if run.ended is not None]
    return time_text(ended[-1]) if ended else NEVER


def health(c: Container, now: float) -> Document:
    """The last checks as they must have come out."""
    program = c.program
    every = float((c.body.get("Healthcheck") or {}).get("Interval") or 30e9) / 1e9
    last = now - (now - c.health_since) % every
    output = program.check_fails if c.failing else program.check_passes
    begun = [last - n * every for n in reversed(range(HEALTH_LOG))]
    checks = [
        {
            "Start": time_text(at),
            "End": time_text(at + 0.04),
            "ExitCode": int(c.failing),
            "Output": output,
        }
        for at in begun
        if c.run and at > c.run.began
    ]
    streak = int((now - c.health_since) / every) + 3 if c.failing else 0
    return {"Status": c.health, "FailingStreak": streak, "Log": checks}


def pid_of(c: Container) -> int:
    return 1000 + (int(c.id[:6], 16) + c.restart_count * 37 + c.generation * 101) % 60000


def _config(c: Container) -> Document:
    body = c.body
    return {
        "Hostname": body.get("Hostname") or c.id[:12],
        "Domainname": "",
        "User": body.get("User") or "",
        "AttachStdin": False,
        "AttachStdout": False,
        "AttachStderr": False,
        "ExposedPorts": body.get("ExposedPorts") or None,
        "Tty": c.tty,
        "OpenStdin": bool(body.get("OpenStdin")),
        "StdinOnce": False,
        "Env": body.get("Env") or [],
        "Cmd": body.get("Cmd"),
        "Healthcheck": body.get("Healthcheck"),
        "Image": body.get("Image"),
        "Volumes": body.get("Volumes"),
        "WorkingDir": body.get("WorkingDir") or "",
        "Entrypoint": body.get("Entrypoint"),
        "OnBuild": None,
        "Labels": c.labels,
        "StopSignal": body.get("StopSignal") or "SIGTERM",
    }


def _host_config(c: Container) -> Document:
    host = c.host
    return {
        "Binds": host.get("Binds"),
        "ContainerIDFile": "",
        "LogConfig": host.get("LogConfig") or {"Type": "json-file", "Config": {}},
        "NetworkMode": host.get("NetworkMode") or "bridge",
        "PortBindings": host.get("PortBindings") or {},
        "RestartPolicy": host.get("RestartPolicy") or {"Name": "no", "MaximumRetryCount": 0},
        "AutoRemove": bool(host.get("AutoRemove")),
        "Privileged": bool(host.get("Privileged")),
        "ReadonlyRootfs": bool(host.get("ReadonlyRootfs")),
        "CapAdd": host.get("CapAdd"),
        "CapDrop": host.get("CapDrop"),
        "Memory": c.memory_limit,
        "MemoryReservation": 0,
        "MemorySwap": c.memory_limit * 2,
        "NanoCpus": int(host.get("NanoCpus") or 0),
        "CpuShares": 0,
        "CpuQuota": 0,
        "CpuPeriod": 0,
        "CpusetCpus": "",
        "PidsLimit": None,
        "ShmSize": 67108864,
        "Runtime": "runc",
        "IpcMode": "private",
        "CgroupnsMode": "private",
        "OomKillDisable": None,
    }


def _ports(c: Container) -> Document:
    found: Document = {}
    for name in c.body.get("ExposedPorts") or {}:
        found[name] = None
    for name, number in c.ports.items():
        bindings = (c.host.get("PortBindings") or {}).get(name) or [{}]
        address = str(bindings[0].get("HostIp") or "")
        addresses = [address] if address else ["0.0.0.0", "::"]
        found[name] = [{"HostIp": ip, "HostPort": str(number)} for ip in addresses]
    return found


def _endpoint(state: State, c: Container, name: str) -> Document:
    endpoint = c.endpoints[name]
    network = state.networks.get(endpoint.network)
    is_up = c.is_running and network is not None
    return {
        "IPAMConfig": None,
        "Links": None,
        "Aliases": endpoint.aliases or None,
        "MacAddress": mac_of(c.id, endpoint.network) if is_up else "",
        "NetworkID": endpoint.network,
        "EndpointID": hashlib.sha256(f"{c.id}{endpoint.network}".encode()).hexdigest() if is_up else "",
        "Gateway": network.gateway if is_up and network else "",
        "IPAddress": endpoint.ip if is_up else "",
        "IPPrefixLen": 16 if is_up else 0,
        "IPv6Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "DNSNames": [c.name, *endpoint.aliases, c.id[:12]],
    }


def container_entry(state: State, c: Container, now: float) -> Document:
    """An entry of `GET /containers/json`."""
    words = [*(c.body.get("Entrypoint") or []), *(c.body.get("Cmd") or [])]
    ports: list[Document] = []
    for name, bindings in (_ports(c) if c.is_running else {}).items():
        number, _, protocol = name.partition("/")
        for binding in bindings or [{}]:
            entry: Document = {"PrivatePort": int(number), "Type": protocol}
            if binding:
                entry.update(IP=binding["HostIp"], PublicPort=int(binding["HostPort"]))
            ports.append(entry)
    return {
        "Id": c.id,
        "Names": [f"/{c.name}"],
        "Image": c.body.get("Image"),
        "ImageID": c.image,
        "Command": " ".join(words),
        "Created": int(c.created),
        "Ports": ports,
        "Labels": c.labels,
        "State": c.status,
        "Status": status_words(c, now),
        "HostConfig": {"NetworkMode": c.host.get("NetworkMode") or "bridge"},
        "NetworkSettings": {"Networks": {name: _endpoint(state, c, name) for name in c.endpoints}},
        "Mounts": c.mounts,
    }


def status_words(c: Container, now: float) -> str:
    """'Up 3 hours (healthy)', 'Exited (137) 2 minutes ago', …"""
    run = c.run
    if c.status == "created" or run is None:
        return "Created"
    if c.is_running:
        words = f"Up {_ago(now - run.began)}"
        if c.status == "paused":
            return f"{words} (Paused)"
        return f"{words} ({'health: starting' if c.health == 'starting' else c.health})" if c.health else words
    word = "Restarting" if c.status == "restarting" else "Exited"
    return f"{word} ({run.exit_code}) {_ago(now - (run.ended or now))} ago"


def _ago(seconds: float) -> str:
    for size, word in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {word}"
    return f"{max(int(seconds), 1)} seconds"


def image_entry(state: State, image: Image, users: int) -> Document:
    """An entry of `GET /images/json`."""
    return {
        "Id": image.id,
        "ParentId": "",
        "RepoTags": image.tags,
        "RepoDigests": image.digests,
        "Created": int(image.created),
        "Size": image.size,
        "SharedSize": -1,
        "Labels": image.labels or None,
        "Containers": users,
    }


def image(state: State, found: Image) -> Document:
    """`GET /images/{name}/json`."""
    program = found.program
    config: Document = {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]}
    if program is not None:
        config.update(
            Cmd=list(program.command),
            Entrypoint=list(program.entrypoint) or None,
            ExposedPorts={f"{program.port}/tcp": {}} if program.port else None,
            Volumes={program.volume: {}} if program.volume else None,
            WorkingDir="/",
            Labels=found.labels or None,
        )
    return {
        "Id": found.id,
        "RepoTags": found.tags,
        "RepoDigests": found.digests,
        "Parent": "",
        "Comment": "buildkit.dockerfile.v0",
        "Created": time_text(found.created),
        "Author": "",
        "Config": config,
        "Architecture": "amd64",
        "Os": "linux",
        "Size": found.size,
        "GraphDriver": {"Data": None, "Name": state.facts.storage_driver},
        "RootFS": {"Type": "layers", "Layers": found.layers},
        "Metadata": {"LastTagTime": time_text(found.created)},
    }


def network(state: State, found: Network, *, with_members: bool) -> Document:
    """`GET /networks/{id}`, or an entry of `GET /networks`."""
    document: Document = {
        "Name": found.name,
        "Id": found.id,
        "Created": time_text(found.created),
        "Scope": "local",
        "Driver": found.driver,
        "EnableIPv4": True,
        "EnableIPv6": found.ipv6,
        "IPAM": {"Driver": "default", "Options": None, "Config": _ranges(found)},
        "Internal": found.internal,
        "Attachable": found.attachable,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": {},
        "Options": found.options,
        "Labels": found.labels,
    }
    if with_members:
        for c in state.members(found):
            for endpoint in c.endpoints.values():
                if endpoint.network == found.id:
                    document["Containers"][c.id] = {
                        "Name": c.name,
                        "EndpointID": hashlib.sha256(f"{c.id}{found.id}".encode()).hexdigest(),
                        "MacAddress": mac_of(c.id, found.id),
                        "IPv4Address": f"{endpoint.ip}/16",
                        "IPv6Address": "",
                    }
    return document


def _ranges(found: Network) -> list[Document]:
    return [{"Subnet": found.subnet, "Gateway": found.gateway}] if found.subnet else []


def volume(found: Volume, *, size: bool = False, users: int = 0) -> Document:
    """`GET /volumes/{name}`, or an entry of `GET /volumes`."""
    document: Document = {
        "Name": found.name,
        "Driver": found.driver,
        "Mountpoint": f"/var/lib/docker/volumes/{found.name}/_data",
        "CreatedAt": time_text(int(found.created)),
        "Labels": found.labels or None,
        "Options": found.options or None,
        "Scope": "local",
    }
    if size:
        document["UsageData"] = {"Size": found.size, "RefCount": users}
    return document


def version(state: State) -> Document:
    facts = state.facts
    return {
        "Platform": {"Name": "Docker Engine - Community"},
        "Components": [
            {"Name": "Engine", "Version": facts.version, "Details": {"ApiVersion": facts.api_version}},
            {"Name": "containerd", "Version": facts.containerd, "Details": {}},
            {"Name": "runc", "Version": facts.runc, "Details": {}},
        ],
        "Version": facts.version,
        "ApiVersion": facts.api_version,
        "MinAPIVersion": facts.min_api_version,
        "Os": "linux",
        "Arch": "amd64",
        "KernelVersion": facts.kernel,
    }


def info(state: State) -> Document:
    facts = state.facts
    statuses = [c.status for c in state.containers.values()]
    return {
        "ID": facts.id,
        "Name": facts.hostname,
        "Containers": len(statuses),
        "ContainersRunning": statuses.count("running"),
        "ContainersPaused": statuses.count("paused"),
        "ContainersStopped": len(statuses) - statuses.count("running") - statuses.count("paused"),
        "Images": len(state.images),
        "Driver": facts.storage_driver,
        "OperatingSystem": facts.os_name,
        "OSType": "linux",
        "Architecture": "x86_64",
        "KernelVersion": facts.kernel,
        "NCPU": facts.cpus,
        "MemTotal": facts.memory_bytes,
        "DockerRootDir": "/var/lib/docker",
        "ServerVersion": facts.version,
        "CgroupVersion": "2",
        "CgroupDriver": "systemd",
        "Swarm": {"LocalNodeState": "inactive"},
        "LiveRestoreEnabled": False,
        "LoggingDriver": "json-file",
        "Labels": [],
    }
