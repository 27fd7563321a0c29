"""What images do when they run: how they log, what they use, how they are checked. By repository."""

from __future__ import annotations

from dataclasses import dataclass, replace

KIB, MIB, GIB = 1024, 1024**2, 1024**3


@dataclass(frozen=True, slots=True)
class Program:
    """What one image does. Rates are those of a usual working hour."""

    style: str = "plain"  # how it logs: a key of writing.STYLES
    lines_per_s: float = 0.2
    cpu_percent: float = 1.0  # 100 is one core
    memory_bytes: int = 64 * MIB
    rx_bytes_per_s: int = 2 * KIB
    tx_bytes_per_s: int = 2 * KIB
    read_bytes_per_s: int = 0
    write_bytes_per_s: int = 512
    command: tuple[str, ...] = ("/app/server",)
    entrypoint: tuple[str, ...] = ()
    port: int = 0
    check: str = ""  # the command of its health check; '': none
    check_passes: str = ""  # what the check prints
    check_fails: str = ""
    is_busy_by_day: bool = True
    size_bytes: int = 120 * MIB
    processes: tuple[str, ...] = ()  # besides the main one
    stops_in_s: float = 0.4
    runs_for_s: float = 0  # 0: until it is stopped
    volume: str = ""  # the path that the image declares as a volume


def _curl(port: int, path: str = "/healthz") -> str:
    return f"curl -fsS http://127.0.0.1:{port}{path} || exit 1"


_JAVA = Program(
    style="java", lines_per_s=0.7, cpu_percent=14, memory_bytes=620 * MIB, rx_bytes_per_s=60 * KIB,
    tx_bytes_per_s=90 * KIB, write_bytes_per_s=6 * KIB, command=("-Xmx768m", "-jar", "/app/app.jar"),
    entrypoint=("java",), port=8080, check=_curl(8080, "/actuator/health"),
    check_passes='{"status":"UP","groups":["liveness","readiness"]}',
    check_fails="curl: (22) The requested URL returned error: 503\n"
    '{"status":"DOWN","components":{"db":{"status":"DOWN","details":{"error":"HikariPool-1 - Connection is not '
    'available, request timed out after 30000ms (total=20, active=20, idle=0, waiting=34)"}}}}',
    size_bytes=340 * MIB, stops_in_s=2.5,
)  # fmt: skip
_NODE = Program(
    style="json", lines_per_s=1.2, cpu_percent=6, memory_bytes=180 * MIB, rx_bytes_per_s=45 * KIB,
    tx_bytes_per_s=160 * KIB, command=("node", "dist/server.js"), entrypoint=("docker-entrypoint.sh",), port=3000,
    check=_curl(3000), check_passes="ok", check_fails="curl: (28) Operation timed out after 5001 milliseconds with 0 "
    "bytes received", size_bytes=210 * MIB,
)  # fmt: skip
_PYTHON = Program(
    style="python", lines_per_s=0.6, cpu_percent=5, memory_bytes=150 * MIB, rx_bytes_per_s=30 * KIB,
    tx_bytes_per_s=70 * KIB, command=("gunicorn", "app.wsgi", "--bind", "0.0.0.0:8000", "--workers", "4"), port=8000,
    check=_curl(8000), check_passes="ok", check_fails="curl: (7) Failed to connect to 127.0.0.1 port 8000 after 0 ms: "
    "Connection refused", size_bytes=190 * MIB, processes=("gunicorn: worker [app]",) * 4,
)  # fmt: skip
_GO = Program(
    style="logfmt", lines_per_s=0.5, cpu_percent=2, memory_bytes=48 * MIB, rx_bytes_per_s=20 * KIB,
    tx_bytes_per_s=30 * KIB, command=("serve",), entrypoint=("/bin/app",), port=8080, check="/bin/app health",
    check_passes="SERVING", check_fails="rpc error: code = Unavailable desc = connection error: desc = \"transport: "
    "Error while dialing: dial tcp 10.20.0.7:5432: connect: connection refused\"", size_bytes=38 * MIB,
)  # fmt: skip
_NGINX = Program(
    style="nginx", lines_per_s=2.5, cpu_percent=1.5, memory_bytes=14 * MIB, rx_bytes_per_s=80 * KIB,
    tx_bytes_per_s=420 * KIB, command=("nginx", "-g", "daemon off;"), entrypoint=("/docker-entrypoint.sh",), port=80,
    check=_curl(80, "/"), check_passes="ok", check_fails="curl: (22) The requested URL returned error: 502",
    size_bytes=72 * MIB, processes=("nginx: worker process",) * 4,
)  # fmt: skip
_POSTGRES = Program(
    style="postgres", lines_per_s=0.15, cpu_percent=7, memory_bytes=420 * MIB, rx_bytes_per_s=50 * KIB,
    tx_bytes_per_s=120 * KIB, read_bytes_per_s=120 * KIB, write_bytes_per_s=380 * KIB, command=("postgres",),
    entrypoint=("docker-entrypoint.sh",), port=5432, check="pg_isready -U app",
    check_passes="/var/run/postgresql:5432 - accepting connections",
    check_fails="/var/run/postgresql:5432 - no response", size_bytes=430 * MIB, stops_in_s=1.6,
    processes=(
        "postgres: checkpointer", "postgres: background writer", "postgres: walwriter",
        "postgres: autovacuum launcher", "postgres: app app 172.18.0.5(40112) idle",
    ), volume="/var/lib/postgresql/data",
)  # fmt: skip
_REDIS = Program(
    style="redis", lines_per_s=0.03, cpu_percent=0.8, memory_bytes=22 * MIB, rx_bytes_per_s=40 * KIB,
    tx_bytes_per_s=60 * KIB, write_bytes_per_s=4 * KIB, command=("redis-server",),
    entrypoint=("docker-entrypoint.sh",), port=6379, check="redis-cli ping", check_passes="PONG",
    check_fails="Could not connect to Redis at 127.0.0.1:6379: Connection refused", size_bytes=41 * MIB,
    volume="/data",
)  # fmt: skip
_JOB = Program(style="job", lines_per_s=4, cpu_percent=40, memory_bytes=90 * MIB, command=("run",), runs_for_s=25)
_SHELL = Program(style="plain", command=("sh",), size_bytes=8 * MIB, memory_bytes=2 * MIB, runs_for_s=0.05)

R = "acme/"

PROGRAMS: dict[str, Program] = {
    f"{R}shop-web": replace(_NODE, lines_per_s=2, cpu_percent=9),
    f"{R}shop-cart": _GO,
    f"{R}shop-checkout": replace(_NODE, cpu_percent=4),
    f"{R}shop-search-indexer": replace(_PYTHON, cpu_percent=22, check="", command=("celery", "-A", "indexer", "worker")),
    f"{R}shop-mailer": replace(_PYTHON, cpu_percent=1, check="", lines_per_s=0.2, command=("python", "-m", "mailer")),
    f"{R}shop-migrate": replace(_JOB, runs_for_s=9),
    f"{R}bank-api": _JAVA,
    f"{R}bank-ledger": replace(_JAVA, style="ledger", cpu_percent=35, check="", runs_for_s=0),
    f"{R}bank-fraud": replace(_PYTHON, cpu_percent=48, memory_bytes=900 * MIB, command=("python", "-m", "fraud")),
    f"{R}bank-statements": replace(_JOB, runs_for_s=60, style="java"),
    f"{R}identity-login": _GO,
    f"{R}identity-directory": replace(_GO, port=3890, cpu_percent=0.7),
    f"{R}media-transcoder": replace(
        _GO, style="ansi", cpu_percent=180, memory_bytes=700 * MIB, read_bytes_per_s=3 * MIB,
        write_bytes_per_s=2 * MIB, check="",
    ),
    f"{R}media-gallery": _PYTHON,
    f"{R}telemetry-collector": replace(_GO, lines_per_s=0.1, cpu_percent=1.2, check=""),
    f"{R}edge-sync": replace(_GO, cpu_percent=0.8, lines_per_s=0.1),
    f"{R}backup-runner": replace(_JOB, runs_for_s=45, read_bytes_per_s=24 * MIB),
    f"{R}review-web": replace(_NODE, cpu_percent=0.6, lines_per_s=0.1),
    "nginx": _NGINX,
    "caddy": replace(_NGINX, style="json", command=("caddy", "run"), entrypoint=(), size_bytes=50 * MIB, processes=(),
                     check="", memory_bytes=34 * MIB),
    "traefik": replace(_GO, port=443, cpu_percent=3, memory_bytes=90 * MIB, check="traefik healthcheck --ping",
                       check_passes="OK: http://:8080/ping", size_bytes=150 * MIB),
    "postgres": _POSTGRES,
    "mysql": replace(_POSTGRES, style="mysql", port=3306, command=("mysqld",), check="mysqladmin ping",
                     check_passes="mysqld is alive", size_bytes=580 * MIB, processes=(), volume="/var/lib/mysql"),
    "mariadb": replace(_POSTGRES, style="mysql", port=3306, command=("mariadbd",), check="healthcheck.sh --connect",
                       check_passes="", size_bytes=400 * MIB, processes=(), volume="/var/lib/mysql"),
    "redis": _REDIS,
    "valkey/valkey": replace(_REDIS, command=("valkey-server",)),
    "rabbitmq": replace(_GO, style="plain", port=5672, memory_bytes=160 * MIB, check="rabbitmq-diagnostics -q ping",
                        check_passes="Ping succeeded", size_bytes=230 * MIB, command=("rabbitmq-server",),
                        volume="/var/lib/rabbitmq"),
    "wordpress": replace(_NGINX, style="apache", cpu_percent=4, memory_bytes=95 * MIB, command=("apache2-foreground",),
                         check="", size_bytes=690 * MIB, lines_per_s=0.8, volume="/var/www/html",
                         processes=("apache2 -DFOREGROUND",) * 5),
    "ghost": replace(_NODE, style="ansi", port=2368, check="", size_bytes=560 * MIB, volume="/var/lib/ghost/content"),
    "prom/prometheus": replace(_GO, port=9090, cpu_percent=8, memory_bytes=740 * MIB, write_bytes_per_s=90 * KIB,
                               check="", size_bytes=290 * MIB, volume="/prometheus"),
    "grafana/grafana": replace(_GO, port=3000, memory_bytes=110 * MIB, check="", size_bytes=480 * MIB),
    "grafana/loki": replace(_GO, port=3100, cpu_percent=5, memory_bytes=310 * MIB, check="", size_bytes=110 * MIB),
    "prom/node-exporter": replace(_GO, port=9100, cpu_percent=0.4, memory_bytes=18 * MIB, check="", lines_per_s=0.01),
    "gcr.io/cadvisor/cadvisor": replace(_GO, port=8080, cpu_percent=2.8, check="", memory_bytes=75 * MIB),
    "minio/minio": replace(_GO, style="plain", port=9000, memory_bytes=260 * MIB, read_bytes_per_s=MIB,
                           check="mc ready local", check_passes="The cluster is ready", volume="/data"),
    "opensearchproject/opensearch": replace(_JAVA, port=9200, memory_bytes=1400 * MIB, size_bytes=870 * MIB, check="",
                                            volume="/usr/share/opensearch/data"),
    "gitea/gitea": replace(_GO, style="ansi", port=3000, memory_bytes=170 * MIB, size_bytes=180 * MIB, volume="/data"),
    "gitlab/gitlab-runner": replace(_GO, style="ansi", cpu_percent=3, check="", size_bytes=330 * MIB),
    "registry": replace(_GO, port=5000, check="", size_bytes=26 * MIB, volume="/var/lib/registry"),
    "eclipse-mosquitto": replace(_REDIS, style="plain", port=1883, check="", command=("mosquitto",)),
    "vaultwarden/server": replace(_GO, style="ansi", port=80, check="/healthcheck.sh", check_passes=""),
    "busybox": replace(_SHELL, size_bytes=4 * MIB),
    "alpine": _SHELL,
    "debian": replace(_SHELL, command=("bash",), size_bytes=117 * MIB),
    "ubuntu": replace(_SHELL, command=("/bin/bash",), size_bytes=78 * MIB),
    "python": replace(_SHELL, command=("python3",), size_bytes=125 * MIB),
    "node": replace(_SHELL, command=("node",), size_bytes=190 * MIB),
    "hello-world": replace(_SHELL, style="hello", command=("/hello",), size_bytes=10 * KIB),
}  # fmt: skip
OTHER = Program()


def program_of(reference: str) -> Program:
    """What the image of that reference does."""
    return PROGRAMS.get(repository_of(reference), OTHER)


def repository_of(reference: str) -> str:
    """'nginx' for `docker.io/library/nginx:1.27` and `nginx@sha256:…`."""
    name = reference.partition("@")[0]
    head, slash, last = name.rpartition("/")
    name = head + slash + last.partition(":")[0]
    for prefix in ("docker.io/library/", "docker.io/", "index.docker.io/"):
        name = name.removeprefix(prefix)
    return name
