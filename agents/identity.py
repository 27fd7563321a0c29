"""Who this host is to the console, and how it becomes that: enrolment with a join token.

The agent makes its credential itself and keeps it before it asks, so that a crash in the middle of enrolment
loses nothing: the same token with the same credential gets the same host again.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import secrets
import ssl
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

from agents import __version__
from agents.texts import sentence

log = logging.getLogger("agent")

ANSWER_BYTES = 64 * 1024
ENROL_TIMEOUT_S = 20


class Unusable(Exception):
    """The agent can't run like this; a sentence for the person who started it."""


class TokenRefused(Unusable):
    """The console does not accept the join token."""


class NoConsole(Exception):
    """No console answers there now; a sentence."""


@dataclass(frozen=True)
class Identity:
    """`identity.json` in the state folder."""

    console: str  # 'https://console.example.com'
    credential: str
    name: str
    host: str = ""  # the console's UUID for this host; '' until it has enrolled


class StateFolder:
    """The agent's folder: identity, journal, and a lock against a second agent."""

    def __init__(self, path: Path) -> None:
        """Raises Unusable."""
        self.path = path
        self._identity_path = path / "identity.json"
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock: IO[str] = open(path / "lock", "a")  # noqa: SIM115  held for as long as the process lives
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Unusable(
                f"Another agent runs with the state folder {path}: stop it, or use another folder."
            ) from error
        except OSError as error:
            raise Unusable(
                f"The state folder {path} can't be used ({error.strerror}): choose another with --state."
            ) from error

    @property
    def journal_path(self) -> Path:
        return self.path / "journal.sqlite3"

    def read(self) -> Identity | None:
        """Raises Unusable."""
        try:
            document = json.loads(self._identity_path.read_text())
            return Identity(**{name: str(document[name]) for name in ("console", "credential", "name", "host")})
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Unusable(
                f"The identity in {self._identity_path} can't be read: put it back from a backup, or remove it and "
                "enrol again with a new join token."
            ) from error

    def write(self, identity: Identity) -> None:
        """Whole or not at all, readable by its owner only. Raises Unusable."""
        new = self.path / "identity.json.new"
        try:
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                os.fchmod(file.fileno(), 0o600)
                json.dump(asdict(identity), file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._identity_path)
            folder = os.open(self.path, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise Unusable(
                f"The state folder {self.path} can't be written ({error.strerror}): see to its disk."
            ) from error


def console_url(text: str) -> str:
    """The console's address without a slash at its end. Raises Unusable."""
    url = urllib.parse.urlsplit(text.strip())
    try:
        _ = url.port
        is_good = url.scheme in ("http", "https") and bool(url.hostname)
    except ValueError:
        is_good = False
    if not is_good or url.query or url.fragment or url.username:
        raise Unusable(f"--console {text[:200]!r} is not an address: give one such as https://console.example.com.")
    if url.scheme == "http" and not is_loopback(url.hostname or ""):
        log.warning("%s is not encrypted: whoever is on the network can read and change what goes over it", text)
    return f"{url.scheme}://{url.netloc}{url.path.rstrip('/')}"


def is_loopback(host: str) -> bool:
    return host == "localhost" or host == "::1" or host.startswith("127.")


def prepare(folder: StateFolder, console: str, name: str, *, has_token: bool) -> Identity:
    """The identity to run with: the kept one, or a new one, stored before it is used. Raises Unusable."""
    kept = folder.read()
    if kept is None:
        if not has_token:
            raise Unusable(
                "This host has not joined the console yet: add a host there, and start the agent with --join-token."
            )
        kept = Identity(console, secrets.token_urlsafe(32), name)
        folder.write(kept)
    elif not kept.host and not has_token:
        raise Unusable("This host began to join and did not finish: start the agent with --join-token once more.")
    elif kept.console != console or (name != kept.name and not kept.host):
        kept = replace(kept, console=console, name=kept.name if kept.host else name)
        folder.write(kept)
    return kept


def enrol(identity: Identity, token: str) -> Identity:
    """Trade the join token for a host. Raises TokenRefused, Unusable, NoConsole."""
    url = f"{identity.console}/agent/enrol"
    body = {
        "token": token,
        "credential": identity.credential,
        "name": identity.name,
        "agent_version": __version__,
    }
    request = urllib.request.Request(
        url,
        json.dumps(body).encode(),
        {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": f"gantry-agent/{__version__}",
        },
    )
    try:
        with _opener(identity.console).open(request, timeout=ENROL_TIMEOUT_S) as response:
            answer = json.loads(response.read(ANSWER_BYTES))
    except urllib.error.HTTPError as error:
        raise _refusal(identity.console, error) from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLError):
            raise NoConsole(
                f"The certificate of {identity.console} is not accepted ({sentence(str(error.reason), 200)})."
            ) from error
        raise NoConsole(f"No console answers at {identity.console}: check the address and the network.") from error
    except (OSError, ValueError) as error:
        raise NoConsole(f"What answers at {identity.console} is not a Gantry console.") from error
    host = answer.get("host") if isinstance(answer, dict) else None
    if not isinstance(host, str) or not 0 < len(host) <= 100:
        raise NoConsole(f"What answers at {identity.console} is not a Gantry console.")
    return replace(identity, host=host)


def _refusal(console: str, error: urllib.error.HTTPError) -> Exception:
    try:
        problem: Any = json.loads(error.read(ANSWER_BYTES))
        detail = sentence(problem.get("detail")) if isinstance(problem, dict) else ""
    except (OSError, ValueError):
        detail = ""
    if error.code == 403 and detail:
        return TokenRefused(detail)
    if error.code in (400, 413, 422) and detail:
        return Unusable(detail)
    if 300 <= error.code < 400:
        target = sentence(error.headers.get("Location"), 200)
        return Unusable(f"The console redirects to {target}: give that address with --console.")
    if error.code == 404:
        return NoConsole(f"What answers at {console} is not a Gantry console, or not at this address (404).")
    return NoConsole(f"The console at {console} answered with status {error.code}{': ' + detail if detail else ''}.")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def _opener(console: str) -> urllib.request.OpenerDirector:
    handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
    if console.startswith("https:"):
        handlers.append(urllib.request.HTTPSHandler(context=tls_context()))
    return urllib.request.build_opener(*handlers)


def tls_context() -> ssl.SSLContext:
    """The system's certificate authorities, or SSL_CERT_FILE's, and certifi's."""
    context = ssl.create_default_context()
    if not os.environ.get("SSL_CERT_FILE"):
        import certifi

        context.load_verify_locations(cadata=certifi.contents())
    return context
