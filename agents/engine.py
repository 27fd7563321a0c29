"""The engine on this host: where it is, what it says of itself, and how it is asked.

What answers at once goes through the Docker SDK in a bounded pool of threads; streams go through
agents/engine_http.py on the engine's socket.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import os
import ssl
import sys
import types
import urllib.parse
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from agents import engine_http as http
from agents.protocol import EngineFacts
from agents.texts import clean, sentence

if TYPE_CHECKING:
    from docker import APIClient

log = logging.getLogger("agent.engine")

T = TypeVar("T")

THREADS = 24
LOOK_TIMEOUT_S = 60  # for calls that only read
ACT_TIMEOUT_S = 300  # for calls that change something; what still waits for the engine then is looked up later
OLDEST_API = (1, 24)  # of the SDK
READ_ERROR_BYTES = 64 * 1024
USUAL_SOCKETS = (
    "/var/run/docker.sock",
    "{runtime}/docker.sock",
    "/run/podman/podman.sock",
    "{runtime}/podman/podman.sock",
)


class EngineError(Exception):
    """The engine answered that it can't or won't; `message` is its own, bounded and cleaned."""

    def __init__(self, status: int, message: object) -> None:
        self.status = status
        self.message = sentence(message) or f"the engine answered with status {status}"
        super().__init__(self.message)


class EngineGone(Exception):
    """The engine does not answer; the text is a sentence that says what to do."""


class BadAddress(ValueError):
    """The address of the engine can't be one; the text is a sentence."""


def parse_address(text: str) -> http.Address:
    """An engine's address from `unix:///path`, `tcp://host:port` or `http://host:port`. Raises BadAddress."""
    url = urllib.parse.urlsplit(text)
    if url.scheme == "unix" and url.path.startswith("/") and not url.netloc:
        return http.Address(text, path=url.path)
    try:
        port = url.port
    except ValueError:
        port = None
    if url.scheme in ("tcp", "http", "https") and url.hostname and port:
        has_tls = url.scheme == "https" or (url.scheme == "tcp" and bool(os.environ.get("DOCKER_TLS_VERIFY")))
        return http.Address(text, host=url.hostname, port=port, tls=_tls_context() if has_tls else None)
    raise BadAddress(
        f"The engine's address {text[:200]!r} is not one the agent can use: give unix:///path/to/docker.sock "
        "or tcp://host:port."
    )


def _cert_folder() -> str:
    return os.environ.get("DOCKER_CERT_PATH") or os.path.expanduser("~/.docker")


def _tls_context() -> ssl.SSLContext:
    folder = _cert_folder()
    try:
        context = ssl.create_default_context(cafile=os.path.join(folder, "ca.pem"))
        context.load_cert_chain(os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem"))
    except OSError as error:
        raise BadAddress(
            f"The engine's TLS files ca.pem, cert.pem and key.pem can't be read in {folder}: "
            "set DOCKER_CERT_PATH to their folder."
        ) from error
    return context


def candidates(given: str | None, environment: Mapping[str, str]) -> list[http.Address]:
    """Addresses to try, in order: the given one, else DOCKER_HOST, else the usual sockets. Raises BadAddress."""
    if chosen := given or environment.get("DOCKER_HOST"):
        return [parse_address(chosen)]
    runtime = environment.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    return [parse_address("unix://" + path.format(runtime=runtime)) for path in USUAL_SOCKETS]


class Engine:
    """One engine, looked for anew whenever it was lost."""

    def __init__(self, addresses: list[http.Address]) -> None:
        self.facts: EngineFacts | None = None
        self.error = "The agent has not reached the engine yet."
        self._addresses = addresses
        self._address = addresses[0]
        self._looks: APIClient | None = None
        self._acts: APIClient | None = None
        self._threads = concurrent.futures.ThreadPoolExecutor(THREADS, thread_name_prefix="engine")

    @property
    def is_up(self) -> bool:
        return self.facts is not None

    @property
    def api(self) -> tuple[int, int]:
        """The engine's API version; (0, 0) while it does not answer."""
        return _version(self.facts.api_version) if self.facts else (0, 0)

    async def connect(self) -> EngineFacts:
        """Find the engine and ask what it is. Raises EngineGone."""
        try:
            self._address, api = await self._find()
            await self._make_clients(api)
            version: dict[str, Any] = await self.look(lambda client: client.version(api_version=False))
            info: dict[str, Any] = await self.look(lambda client: client.info())
            self.facts = facts_of(version, info)
        except EngineGone as gone:
            self.lost(str(gone))
            raise
        except EngineError as error:
            self.lost(f"The engine at {self._address.text} says: {error.message}")
            raise EngineGone(self.error) from error
        self.error = ""
        return self.facts

    def lost(self, error: str) -> None:
        """Remember that the engine does not answer, and why."""
        self.facts = None
        self.error = error

    async def look(self, question: Callable[[APIClient], T]) -> T:
        """Ask the engine something through the SDK. Raises EngineError, EngineGone."""
        return await self._hop(self._looks, question)

    async def act(self, deed: Callable[[APIClient], T]) -> T:
        """Have the engine change something, with the patience that takes. Raises EngineError, EngineGone."""
        return await self._hop(self._acts, deed)

    async def open(self, method: str, path: str, query: Mapping[str, str]) -> http.Response:
        """A streaming answer; the caller closes it. Raises EngineError, EngineGone."""
        if self.facts is None:
            raise EngineGone(self.error)
        try:
            response = await http.request(
                self._address, method, f"/v{self.facts.api_version}{path}", query, head_timeout_s=ACT_TIMEOUT_S
            )
            if response.status < 400:
                return response
            try:
                body = await asyncio.wait_for(response.body(READ_ERROR_BYTES), 10)
            finally:
                response.close()
        except (OSError, asyncio.TimeoutError, http.BadAnswer) as error:
            raise EngineGone(_why(self._address, error)) from error
        raise EngineError(response.status, _message_in(body))

    async def alive(self) -> None:
        """Raises EngineGone when the engine does not answer."""
        try:
            await _ping(self._address)
        except (OSError, asyncio.TimeoutError, http.BadAnswer) as error:
            raise EngineGone(_why(self._address, error)) from error

    async def close(self) -> None:
        self._close_clients()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _close_clients(self) -> None:
        for client in (self._looks, self._acts):
            if client is not None:
                client.close()

    async def _hop(self, client: APIClient | None, question: Callable[[APIClient], T]) -> T:
        if client is None:
            raise EngineGone(self.error)
        return await asyncio.get_running_loop().run_in_executor(self._threads, ask, client, self._address, question)

    async def _find(self) -> tuple[http.Address, str]:
        """The first address at which an engine answers, and its API version. Raises EngineGone."""
        errors = []
        for address in sorted(self._addresses, key=lambda a: a is not self._address):
            try:
                return address, await _ping(address)
            except EngineGone as gone:
                errors.append(gone)
            except FileNotFoundError as error:
                if len(self._addresses) == 1:
                    errors.append(EngineGone(_why(address, error)))
            except (OSError, asyncio.TimeoutError, http.BadAnswer) as error:
                errors.append(EngineGone(_why(address, error)))
        if errors:
            raise errors[0]
        raise EngineGone(
            "No Docker or Podman socket was found on this host: start Docker, or give the engine's address "
            "with --engine."
        )

    async def _make_clients(self, api: str) -> None:
        def make() -> tuple[APIClient, APIClient]:
            _do_without_guessing()
            from docker import APIClient, tls

            options: dict[str, Any] = {"version": api, "max_pool_size": THREADS}
            if self._address.tls is not None:
                folder = _cert_folder()
                cert = (os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem"))
                options["tls"] = tls.TLSConfig(client_cert=cert, ca_cert=os.path.join(folder, "ca.pem"), verify=True)
            url = self._address.text
            return APIClient(url, timeout=LOOK_TIMEOUT_S, **options), APIClient(url, timeout=ACT_TIMEOUT_S, **options)

        loop = asyncio.get_running_loop()
        self._close_clients()
        try:
            self._looks, self._acts = await loop.run_in_executor(self._threads, make)
        except Exception as error:
            raise EngineGone(
                f"The engine at {self._address.text} can't be used: {sentence(str(error), 300)}"
            ) from error


def _do_without_guessing() -> None:
    """Spare the 3 MiB of tables by which requests guesses encodings: what engines say is UTF-8."""
    if "requests" in sys.modules or "charset_normalizer" in sys.modules:
        return
    stub = types.ModuleType("charset_normalizer")
    vars(stub).update(__version__="3.0.0", detect=lambda data: {"encoding": "utf-8"})
    sys.modules["charset_normalizer"] = stub


async def _ping(address: http.Address) -> str:
    """The API version of the engine at `address`. Raises EngineGone, OSError, BadAnswer."""
    response = await http.request(address, "GET", "/_ping", head_timeout_s=30)
    response.close()
    api = response.headers.get("api-version", "")
    if not _version(api)[0]:
        raise http.BadAnswer("no Api-Version in the answer")
    if _version(api) < OLDEST_API:
        raise EngineGone(
            f"The engine at {address.text} speaks API {api[:20]}, and the agent needs "
            f"{OLDEST_API[0]}.{OLDEST_API[1]} or newer: update the engine."
        )
    return api


def _version(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else (0, 0)


def ask(client: APIClient, address: http.Address, question: Callable[[APIClient], T]) -> T:
    import requests
    from docker.errors import APIError, DockerException

    try:
        return question(client)
    except APIError as error:
        status = error.response.status_code if error.response is not None else 500
        raise EngineError(status, error.explanation) from error
    except requests.exceptions.Timeout as error:
        raise EngineGone(f"The engine at {address.text} takes too long to answer: see its log.") from error
    except (requests.exceptions.RequestException, OSError) as error:
        raise EngineGone(_why(address, _cause(error))) from error
    except (DockerException, ValueError) as error:  # an answer that is not the API's, or one the SDK refuses to ask
        raise EngineError(500, str(error)) from error


def _cause(error: BaseException) -> BaseException:
    """The OSError at the bottom of what requests and urllib3 wrap it in."""
    seen = 0
    current: BaseException | None = error
    while current is not None and seen < 10:
        if isinstance(current, (FileNotFoundError, PermissionError, ConnectionError)) and current.errno:
            return current
        current = current.__context__
        seen += 1
    return error


def _why(address: http.Address, error: BaseException) -> str:
    where = address.text
    if isinstance(error, FileNotFoundError):
        return f"There is no engine at {where}: start the engine, or give its address with --engine."
    if isinstance(error, PermissionError):
        return f"The agent may not open {where}: run it as root, or as a user of the group that owns the socket."
    if isinstance(error, http.BadAnswer):
        return f"What answers at {where} is not a Docker engine ({error}): give the engine's address with --engine."
    if isinstance(error, asyncio.TimeoutError):
        return f"The engine at {where} does not answer in time: see its log."
    return f"No engine answers at {where}: start it, or give another address with --engine."


def _message_in(body: bytes) -> str:
    import json

    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode("utf-8", "replace")


def facts_of(version: Mapping[str, Any], info: Mapping[str, Any]) -> EngineFacts:
    """The facts in `GET /version` and `GET /info`."""
    components = {
        str(part.get("Name", "")).lower(): str(part.get("Version", ""))
        for part in version.get("Components") or []
        if isinstance(part, dict)
    }
    swarm = info.get("Swarm") or {}

    def short(value: object) -> str:
        return clean(value, 300)

    return EngineFacts(
        id=short(info.get("ID")),
        product="Podman" if any("podman" in name for name in components) else "Docker",
        version=short(version.get("Version")),
        api_version=short(version.get("ApiVersion")),
        min_api_version=short(version.get("MinAPIVersion")),
        os_name=short(info.get("OperatingSystem")),
        kernel=short(info.get("KernelVersion") or version.get("KernelVersion")),
        architecture=short(info.get("Architecture") or version.get("Arch")),
        hostname=short(info.get("Name")),
        cpus=_whole(info.get("NCPU")),
        memory_bytes=_whole(info.get("MemTotal")),
        storage_driver=short(info.get("Driver")),
        root_dir=short(info.get("DockerRootDir")),
        cgroup_version=short(info.get("CgroupVersion")) or "1",
        containerd_version=short(components.get("containerd")),
        runc_version=short(components.get("runc") or _podman_runtime(components)),
        is_swarm_member=isinstance(swarm, dict) and swarm.get("LocalNodeState") in ("active", "locked"),
    )


def _podman_runtime(components: Mapping[str, str]) -> str:
    """'crun version 1.8' of `OCI Runtime (crun)`, whose text has several lines."""
    found = next((version for name, version in components.items() if name.startswith("oci runtime")), "")
    return found.partition("\n")[0]


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else 0
