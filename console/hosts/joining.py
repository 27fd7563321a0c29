"""The three ways to run the agent on a new host, as text ready to paste. The join token in them expires."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

AGENT_IMAGE = "python:3.13-slim"  # any image with python3; the agent brings the rest
STATE = "/var/lib/gantry-agent"


@dataclass(frozen=True, slots=True)
class Way:
    name: str  # for the tab
    about: str
    text: str


def ways(console_url: str, join_token: str) -> list[Way]:
    """How to join a host to the console at `console_url`, with a fresh token."""
    given = (console_url, join_token)
    return [
        Way("systemd", "As root on the host. Needs python3 (3.10 or newer), nothing else.", _systemd(*given)),
        Way("docker run", "On the host, as someone who may use Docker there.", _docker_run(*given)),
        Way("compose", "Save as compose.yml on the host, then: docker compose up -d", _compose(*given)),
    ]


def is_local_only(console_url: str) -> bool:
    """Whether only this machine reaches the address: other hosts could not join by it."""
    return urlsplit(console_url).hostname in ("127.0.0.1", "localhost", "::1")


def _systemd(url: str, token: str) -> str:
    return f"""\
mkdir -p -m 700 {STATE}
python3 -c "import urllib.request as u; u.urlretrieve('{url}/agent/gantry-agent.pyz', '{STATE}/gantry-agent.pyz')"
cat > /etc/systemd/system/gantry-agent.service <<'UNIT'
[Unit]
Description=Gantry agent
After=network-online.target docker.service
Wants=network-online.target

[Service]
Environment=GANTRY_JOIN_TOKEN={token} MALLOC_ARENA_MAX=1
ExecStart=/usr/bin/python3 {STATE}/gantry-agent.pyz run --console {url} --state {STATE}
Restart=always
RestartSec=2

[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl enable --now gantry-agent
"""


_FETCH_AND_RUN = (
    "import os,sys,urllib.request as u; f='{state}/gantry-agent.pyz'; "
    "u.urlretrieve('{url}/agent/gantry-agent.pyz',f); "
    "os.execv(sys.executable,[sys.executable,f,'run','--console','{url}','--state','{state}'])"
)


def _docker_run(url: str, token: str) -> str:
    script = _FETCH_AND_RUN.format(url=url, state=STATE)
    return f"""\
docker run -d --name gantry-agent --restart unless-stopped \\
  --label io.gantry.system=agent --network host --uts host \\
  -v /var/run/docker.sock:/var/run/docker.sock \\
  -v gantry-agent:{STATE} \\
  -e GANTRY_JOIN_TOKEN={token} -e MALLOC_ARENA_MAX=1 \\
  {AGENT_IMAGE} python3 -c "{script}"
"""


def _compose(url: str, token: str) -> str:
    script = _FETCH_AND_RUN.format(url=url, state=STATE)
    return f"""\
services:
  gantry-agent:
    image: {AGENT_IMAGE}
    restart: unless-stopped
    network_mode: host
    uts: host
    labels:
      io.gantry.system: agent
    environment:
      GANTRY_JOIN_TOKEN: {token}
      MALLOC_ARENA_MAX: 1
    volumes:
      - /var/run/docker.sock:/var/run/docker.sock
      - gantry-agent:{STATE}
    command:
      - python3
      - -c
      - >-
        {script}
volumes:
  gantry-agent:
    labels:
      io.gantry.system: agent
"""
