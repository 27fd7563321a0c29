"""Settings, all from the environment; docs/architecture.md lists the variables.

The code does not know whether it runs embedded (one machine) or scaled: only this file does.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url

from console import __version__

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(os.environ.get("GANTRY_DATA") or BASE_DIR / "var").resolve()
ENV_DIR = Path(os.environ.get("GANTRY_ENV") or DATA_DIR / "env").resolve()
DEBUG = os.environ.get("GANTRY_DEBUG") == "1"


def _secret_key() -> str:
    """The key from the environment, else the one kept in the data folder, made at first use."""
    if key := os.environ.get("GANTRY_SECRET_KEY"):
        return key
    path = DATA_DIR / "secret_key"
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        pass
    DATA_DIR.mkdir(parents=True, exist_ok=True)
    draft = DATA_DIR / f"secret_key.{os.getpid()}.{secrets.token_hex(4)}"
    draft.touch(mode=0o600)
    draft.write_text(secrets.token_urlsafe(50))
    try:
        os.link(draft, path)  # the first of several processes wins, and all read the same
    except FileExistsError:
        pass
    draft.unlink()
    return path.read_text().strip()


SECRET_KEY = _secret_key()

PUBLIC_URL = os.environ.get("GANTRY_PUBLIC_URL", "http://127.0.0.1:8000").rstrip("/")
_public = urlsplit(PUBLIC_URL)
ALLOWED_HOSTS = [
    host.strip()
    for host in os.environ.get("GANTRY_ALLOWED_HOSTS", f"{_public.hostname},localhost,127.0.0.1,[::1]").split(",")
    if host.strip()
]
CSRF_TRUSTED_ORIGINS = [f"{_public.scheme}://{_public.netloc}"]
IS_HTTPS = _public.scheme == "https"
if IS_HTTPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "django_filters",
    "django_celery_beat",
    "console.accounts",
    "console.access",
    "console.audit",
    "console.hosts",
    "console.link",
    "console.inventory",
    "console.operations",
    "console.api",
    "console.dashboard",
]
IS_DEMO = os.environ.get("GANTRY_DEMO") == "1"  # the hosts are simulated, and pages say so
if IS_DEMO:
    INSTALLED_APPS.append("console.demo")

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "console.audit.middleware.request_id",
    "console.api.problems.as_problems",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "console.dashboard.middleware.parts_apart",
]

ROOT_URLCONF = "console.urls"
ASGI_APPLICATION = "console.asgi.application"
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "console.dashboard.context.frame",
            ],
        },
    }
]

# --- data ----------------------------------------------------------------------------------

DATABASE_URL = os.environ.get("GANTRY_DATABASE_URL") or f"sqlite:///{DATA_DIR / 'console.sqlite3'}"
_database: dict[str, Any] = dict(dj_database_url.parse(DATABASE_URL, conn_max_age=0))
if _database["ENGINE"].endswith("sqlite3"):
    # IMMEDIATE: a transaction that will write takes its lock at the start, where the busy timeout
    # applies; with the default, 1,600 lock errors were measured under load, with this none.
    _database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-16000;",
    }
DATABASES = {"default": _database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = os.environ.get("GANTRY_REDIS_URL") or f"unix://{DATA_DIR / 'run' / 'broker.sock'}"
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": "gantry"},
    }
}

CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "gantry"
CELERY_TASK_TIME_LIMIT = 300
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Tasks are nudges that may come twice or never; the rows are the truth. So nothing is kept for long.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 600,
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
}
CELERY_BEAT_MAX_LOOP_INTERVAL = 5
CELERY_BEAT_SCHEDULE = {
    "sweep-operations": {
        "task": "console.operations.tasks.sweep",
        "schedule": 10.0,
        "options": {"expires": 10},
    },
    "sweep-links": {"task": "console.link.tasks.sweep", "schedule": 10.0, "options": {"expires": 10}},
}

# --- people --------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "accounts:login"
LOGIN_REDIRECT_URL = "dashboard:overview"
LOGOUT_REDIRECT_URL = "accounts:login"
# Two consoles on one machine share the host name, hence the cookies: the port keeps them apart.
_cookie_suffix = f"_{_public.port}" if _public.port else ""
SESSION_COOKIE_NAME = f"gantry_session{_cookie_suffix}"
CSRF_COOKIE_NAME = f"gantry_csrf{_cookie_suffix}"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 14 * 24 * 3600

# --- what leaves the server ----------------------------------------------------------------

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}

STATIC_URL = "/static/"
STATIC_ROOT = ENV_DIR / "static"
STATICFILES_DIRS = [path for path in (BASE_DIR / "static", ENV_DIR / "frontend" / "dist") if path.is_dir()]
# Our own files and what the front-end step chose; what packages bring for pages of theirs is not served.
STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "console.dashboard.staticfiles.HashedModulesStorage"},
}

LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5000

# --- REST ----------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "console.api.authentication.BearerAuthentication",
        "console.api.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "console.api.schema.EndpointSchema",
    "EXCEPTION_HANDLER": "console.api.problems.handle",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Gantry",
    "DESCRIPTION": "One console for all of a team's Docker hosts.",
    "VERSION": __version__,
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "PREPROCESSING_HOOKS": ["console.api.schema.without_slash"],
    "POSTPROCESSING_HOOKS": [],  # the default one makes a component of every enum
}

# --- Gantry --------------------------------------------------------------------------------

HEARTBEAT_S = float(os.environ.get("GANTRY_HEARTBEAT_S", "5"))
LOST_AFTER_S = float(os.environ.get("GANTRY_LOST_AFTER_S", str(3 * HEARTBEAT_S)))
CLOCK_TOLERANCE_S = 30

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{levelname:<7} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["stderr"], "level": os.environ.get("GANTRY_LOG_LEVEL", "INFO")},
    "loggers": {
        "django.request": {"level": "ERROR"},
        # Anybody can send a wrong Host header: a traceback for each would be theirs to fill the log with.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        "django.channels.server": {"level": "WARNING"},
        # A broker that is away is told of in a line by console.link.hints, not by a traceback a second.
        "channels_redis": {"level": "CRITICAL"},
        "httpx": {"level": "WARNING"},
    },
}
