"""The console's processes and manage.py commands, as command lines."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from urllib.parse import urlsplit

from launcher import stamps
from launcher.addresses import Address
from launcher.environment import RUNTIME
from launcher.places import Places
from launcher.supervisor import Part

WEBSOCKET_BYTES = 4 * 1024 * 1024
# Requests that are running when the console stops get this long; websockets are closed at once.
FINISH_REQUESTS_S = 4
# Celery means its pickled messages, which we don't use; a console that starts its own dockerd is root.
AS_ROOT = "ignore:You're running the worker with superuser privileges"


def manage(places: Places, *arguments: str) -> list[str]:
    return [str(places.python), str(places.repo / "manage.py"), *arguments]


def web(places: Places, env: Mapping[str, str], stage: int, where: Address) -> Part:
    return Part(
        name="web",
        command=[
            str(places.python), "-m", "uvicorn", "console.asgi:application",
            "--host", where.host,
            "--port", str(where.port),
            "--ws", "websockets-sansio",
            "--ws-per-message-deflate", "false",
            "--ws-max-size", str(WEBSOCKET_BYTES),
            "--timeout-graceful-shutdown", str(FINISH_REQUESTS_S),
            "--log-level", "warning", "--no-access-log", "--no-server-header", "--no-use-colors",
        ],
        env=env,
        cwd=places.repo,
        stage=stage,
    )  # fmt: skip


def worker(places: Places, env: Mapping[str, str], stage: int) -> Part:
    """Threads, not Celery's usual processes: our tasks are short and wait for the database, one process takes
    103 MB where five take 249 (measured), and there are no children of its own that outlive a kill -9."""
    options = ["--pool", "threads", "--concurrency", "4"]
    options += ["--without-gossip", "--without-mingle", "--without-heartbeat"]  # there is one worker
    return _celery(places, {**env, "PYTHONWARNINGS": AS_ROOT}, stage, "worker", *options)


def beat(places: Places, env: Mapping[str, str], stage: int) -> Part:
    return _celery(
        places, env, stage, "beat", "--scheduler", "django_celery_beat.schedulers:DatabaseScheduler", "--pidfile="
    )


def _celery(places: Places, env: Mapping[str, str], stage: int, name: str, *options: str) -> Part:
    command = [str(places.python), "-m", "celery", "--quiet", "--no-color", "-A", "console", name, *options]
    return Part(name=name, command=[*command, "--loglevel", "WARNING"], env=env, cwd=places.repo, stage=stage)


def is_ready(where: Address) -> bool:
    """Whether the console says that it can serve (`/readyz`)."""
    parts = urlsplit(where.local_url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def fingerprint_of_static(places: Places) -> str:
    """Changes when collectstatic has something to do; `places.static` itself is part of it."""
    code = places.repo / "console"
    recipe = [places.repo / RUNTIME, code / "settings.py", *sorted(code.glob("*/staticfiles.py"))]
    sources = [places.repo / "static", places.dist, *sorted(code.glob("*/static"))]
    manifest = places.static / "staticfiles.json"
    return stamps.of_files([*recipe, manifest]) + stamps.of_trees(sources)
