"""The stacks: which services they have, of which images, and where they belong."""

from __future__ import annotations

from dataclasses import dataclass

from demo.plan.programs import GIB, MIB, R


@dataclass(frozen=True, slots=True)
class Service:
    name: str
    image: str  # its repository
    tags: tuple[str, ...]  # the older first; a deploy goes on to the next
    replicas: int = 1
    published: int = 0  # the host's port; of further replicas the next ones
    volumes: tuple[tuple[str, str], ...] = ()  # name and path; '' for an anonymous one
    binds: tuple[tuple[str, str], ...] = ()
    networks: tuple[str, ...] = ("default",)
    restart: str = "unless-stopped"
    env: tuple[str, ...] = ()
    memory_bytes: int = 0  # its limit; 0: none
    cpus: float = 0
    is_job: bool = False  # runs to its end and stays


@dataclass(frozen=True, slots=True)
class Stack:
    name: str
    services: tuple[Service, ...]
    roles: tuple[str, ...]  # of the hosts that it is put on
    team: str


_VERSIONS = ("2.29.0", "2.30.1", "2.31.3", "2.31.4", "2.32.0")
_BANK = ("4.10.2", "4.11.0", "4.11.1", "4.12.0")
_PG = "POSTGRES_PASSWORD=hunter2"

STACKS: tuple[Stack, ...] = (
    Stack(
        "shop",
        (
            Service("web", f"{R}shop-web", _VERSIONS, 3, published=8443, networks=("default", "public"),
                    env=("NODE_ENV=production", "SESSION_SECRET=correct-horse", "CART_URL=http://cart:8080"),
                    memory_bytes=512 * MIB),
            Service("cart", f"{R}shop-cart", _VERSIONS, 2, env=("REDIS_URL=redis://cache:6379/0",)),
            Service("checkout", f"{R}shop-checkout", _VERSIONS, 2, published=8081, networks=("default", "payments"),
                    env=("STRIPE_KEY=sk_live_4eC39HqLyjWDarjtT1zdp7dc", "LEDGER_URL=http://ledger:8080")),
            Service("db", "postgres", ("15.8", "16.4"), published=5432, volumes=(("db", "/var/lib/postgresql/data"),),
                    env=(_PG, "POSTGRES_DB=shop"), memory_bytes=2 * GIB, cpus=2),
            Service("cache", "redis", ("7.2.5-alpine", "7.4.1-alpine"), volumes=(("", "/data"),)),
            Service("queue", "rabbitmq", ("3.13.7-management",), volumes=(("queue", "/var/lib/rabbitmq"),)),
            Service("search-indexer", f"{R}shop-search-indexer", _VERSIONS, memory_bytes=384 * MIB, cpus=0.5),
            Service("mailer", f"{R}shop-mailer", _VERSIONS),
            Service("migrate", f"{R}shop-migrate", _VERSIONS, restart="no", is_job=True),
        ),
        ("prod", "stage"), "commerce",
    ),
    Stack(
        "bank",
        (
            Service("api", f"{R}bank-api", _BANK, 2, published=9090, networks=("default", "public"),
                    env=("SPRING_PROFILES_ACTIVE=production", "DB_PASSWORD=s3cr3t"), memory_bytes=GIB, cpus=2),
            Service("ledger", f"{R}bank-ledger", _BANK, volumes=(("journal", "/var/lib/ledger"),), restart="always",
                    env=("JAVA_TOOL_OPTIONS=-XX:MaxRAMPercentage=90",), memory_bytes=768 * MIB),
            Service("fraud", f"{R}bank-fraud", ("1.9.1", "1.9.2"), memory_bytes=2 * GIB, cpus=1.5),
            Service("db", "postgres", ("16.3", "16.4"), volumes=(("db", "/var/lib/postgresql/data"),),
                    env=(_PG, "POSTGRES_DB=bank"), memory_bytes=4 * GIB),
            Service("statements", f"{R}bank-statements", _BANK, restart="no", is_job=True),
        ),
        ("prod", "stage"), "finance",
    ),
    Stack(
        "gateway",
        (
            Service("proxy", "traefik", ("v3.1.4", "v3.2.1"), published=443, networks=("default", "public"),
                    binds=(("/etc/traefik", "/etc/traefik"),), restart="always"),
            Service("static", "nginx", ("1.26.2", "1.27.2"), published=8088, binds=(("/srv/www", "/usr/share/nginx/html"),)),
            Service("sync", f"{R}edge-sync", ("0.8.0", "0.8.1"), volumes=(("state", "/state"),)),
        ),
        ("edge", "prod"), "platform",
    ),
    Stack(
        "blog",
        (
            Service("wordpress", "wordpress", ("6.6-php8.2", "6.7-php8.3"), published=8090,
                    volumes=(("content", "/var/www/html"),), env=("WORDPRESS_DB_PASSWORD=blog",)),
            Service("db", "mariadb", ("11.4", "11.5"), volumes=(("db", "/var/lib/mysql"),),
                    env=("MARIADB_ROOT_PASSWORD=blog",)),
        ),
        ("edge", "stage", "prod"), "marketing",
    ),
    Stack(
        "monitoring",
        (
            Service("prometheus", "prom/prometheus", ("v2.54.1", "v2.55.0"), published=9091,
                    volumes=(("metrics", "/prometheus"),), memory_bytes=2 * GIB),
            Service("grafana", "grafana/grafana", ("11.2.0", "11.3.0"), published=3001,
                    volumes=(("dashboards", "/var/lib/grafana"),), env=("GF_SECURITY_ADMIN_PASSWORD=dashboards",)),
            Service("loki", "grafana/loki", ("3.1.1", "3.2.0"), volumes=(("chunks", "/loki"),)),
            Service("node-exporter", "prom/node-exporter", ("v1.8.2",), binds=(("/", "/host"),)),
            Service("cadvisor", "gcr.io/cadvisor/cadvisor", ("v0.49.1",), binds=(("/sys", "/sys"),)),
        ),
        ("data", "prod", "stage"), "platform",
    ),
    Stack(
        "ci",
        (
            Service("gitea", "gitea/gitea", ("1.22.2", "1.22.3"), published=3002, volumes=(("repositories", "/data"),)),
            Service("runner", "gitlab/gitlab-runner", ("v17.4.0", "v17.5.1"), 4,
                    binds=(("/var/run/docker.sock", "/var/run/docker.sock"),)),
            Service("registry", "registry", ("2.8.3",), published=5000, volumes=(("images", "/var/lib/registry"),)),
            Service("cache", "valkey/valkey", ("8.0-alpine",), volumes=(("", "/data"),)),
        ),
        ("ci",), "platform",
    ),
    Stack(
        "search",
        (
            Service("node", "opensearchproject/opensearch", ("2.17.0", "2.17.1"), 2, published=9200,
                    volumes=(("index", "/usr/share/opensearch/data"),), memory_bytes=3 * GIB),
            Service("objects", "minio/minio", ("RELEASE.2024-10-13T13-34-11Z",), published=9000,
                    volumes=(("objects", "/data"),)),
        ),
        ("data",), "search",
    ),
    Stack(
        "identity",
        (
            Service("login", f"{R}identity-login", ("1.4.0", "1.5.0"), 2, published=8082, networks=("default", "public")),
            Service("directory", f"{R}identity-directory", ("1.4.0", "1.5.0"), volumes=(("entries", "/var/lib/ldap"),)),
            Service("vault", "vaultwarden/server", ("1.32.2",), published=8083, volumes=(("vault", "/data"),)),
            Service("db", "mysql", ("8.0.39", "8.4.3"), volumes=(("db", "/var/lib/mysql"),),
                    env=("MYSQL_ROOT_PASSWORD=identity",)),
        ),
        ("prod",), "identity",
    ),
    Stack(
        "media",
        (
            Service("gallery", f"{R}media-gallery", ("3.2.0", "3.3.0"), 2, published=8084,
                    volumes=(("photos", "/photos"),)),
            Service("transcoder", f"{R}media-transcoder", ("3.2.0", "3.3.0"), 2, volumes=(("photos", "/photos"),),
                    memory_bytes=GIB, cpus=2),
            Service("news", "ghost", ("5.94.0", "5.96.0"), published=2368, volumes=(("news", "/var/lib/ghost/content"),)),
        ),
        ("edge", "data"), "media",
    ),
    Stack(
        "telemetry",
        (
            Service("collector", f"{R}telemetry-collector", ("0.109.0", "0.110.0"), restart="always",
                    binds=(("/var/log", "/var/log"),)),
            Service("broker", "eclipse-mosquitto", ("2.0.20",), published=1883, volumes=(("broker", "/mosquitto/data"),)),
        ),
        ("prod", "stage", "edge", "ci", "data"), "platform",
    ),
    Stack(
        "backup",
        (
            Service("nightly", f"{R}backup-runner", ("1.1.0",), restart="no", is_job=True,
                    binds=(("/var/lib/docker/volumes", "/volumes"),), volumes=(("repository", "/repository"),)),
        ),
        ("prod", "data"), "platform",
    ),
)  # fmt: skip

# What fills hosts that have room for more: a preview of each pull request, as review tools make them.
REVIEW = Stack(
    "review",
    (
        Service("web", f"{R}review-web", ("pr",), env=("NODE_ENV=review",)),
        Service("db", "postgres", ("16.4",), volumes=(("", "/var/lib/postgresql/data"),), env=(_PG,)),
        Service("cache", "redis", ("7.4.1-alpine",)),
        Service("seed", f"{R}shop-migrate", _VERSIONS, restart="no", is_job=True),
    ),
    ("prod", "stage", "edge", "ci", "data"),
    "commerce",
)
