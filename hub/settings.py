"""Every setting of Weir, read once from the environment. It decides defaults and ranges, and opens nothing.

What is worth asking again at start (keys that fit, seats that make sense) is asked in `hub.checks`.
"""

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from hub import keys
from hub.environment import (
    choice,
    env,
    flag,
    networks,
    number,
    optional_number,
    optional_numbers,
    template,
    text,
    whole,
    words,
)

YEAR_S = 366 * 86_400
ROOT = Path(__file__).resolve().parent.parent

# -- where things lie ------------------------------------------------------------------------------

HUB_VAR = ROOT / text("HUB_VAR", "var")
HUB_HOST = text("HUB_HOST", "127.0.0.1")
HUB_PORT = whole("HUB_PORT", 8000, least=1, most=65_535)
HUB_PUBLIC_URL = text("HUB_PUBLIC_URL", "").rstrip("/")
HUB_ENVIRONMENT = text("HUB_ENVIRONMENT", "")[:30]  # named on every page of the console; production in red
HUB_TRUSTED_PROXIES = networks("HUB_TRUSTED_PROXIES")  # whose X-Forwarded-For tells who knocks
HUB_WEB_WORKERS = whole("HUB_WEB_WORKERS", 1, least=1, most=64)
# Threads of one worker share one interpreter: past about two per core they only wait for each other.
HUB_WEB_THREADS = whole("HUB_WEB_THREADS", min(8, 2 * (os.cpu_count() or 1) + 1), least=1, most=256)

# -- keys ------------------------------------------------------------------------------------------

SECRET_KEY = text("HUB_SECRET_KEY", "") or keys.secret_key(HUB_VAR)
HUB_ENCRYPTION_KEYS = words("HUB_ENCRYPTION_KEYS") or [keys.encryption_key(HUB_VAR)]  # the first one encrypts

# -- the database ----------------------------------------------------------------------------------


def _sqlite(name: str) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(ROOT / name),
        "OPTIONS": {
            # A transaction that began as a reader cannot wait for its turn to write, so all begin as writers.
            "transaction_mode": "IMMEDIATE",
            "timeout": 5,  # seconds a writer waits for another; senders give up soon after
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
        "TEST": {"NAME": str(HUB_VAR / "test.sqlite3")},  # a file, so that threads and processes share it
    }


def _postgresql(url: dict[str, Any]) -> dict[str, Any]:
    options = {
        "connect_timeout": 5,
        "application_name": "weir",
        # A process that froze in a transaction, or a machine that vanished, must not hold its locks for ever.
        # And no question here is worth a compiler: it took up to half of those that read many rows (measured).
        "options": "-c idle_in_transaction_session_timeout=20000 -c jit=off",
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 2,
        "tcp_user_timeout": 20_000,  # milliseconds
    } | url.get("OPTIONS", {})
    return url | {
        "ENGINE": "django.db.backends.postgresql",
        "OPTIONS": options,
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
    }


def _database(address: str) -> dict[str, Any]:
    scheme, _, rest = address.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and rest != "/":
        return _sqlite(rest.removeprefix("/"))
    if scheme in {"postgres", "postgresql"}:
        try:
            return _postgresql(env.db_url_config(address))
        except ValueError:
            raise ImproperlyConfigured("DATABASE_URL is not a well-formed PostgreSQL address.") from None
    raise ImproperlyConfigured(
        "DATABASE_URL must look like postgres://user:password@host:5432/name or sqlite:///path/to/file.sqlite3."
    )


DATABASES = {"default": _database(text("DATABASE_URL", f"sqlite:///{HUB_VAR / 'weir.sqlite3'}"))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ON_SQLITE = DATABASES["default"]["ENGINE"].endswith("sqlite3")

# -- receiving -------------------------------------------------------------------------------------

HUB_MAX_BODY = whole("HUB_MAX_BODY", 1_048_576, least=1_024, most=104_857_600)  # bytes; more is answered 413
HUB_FINGERPRINT_WINDOW_S = whole("HUB_FINGERPRINT_WINDOW_S", 600, least=1, most=YEAR_S)
HUB_REFUSALS_PER_SOURCE = whole("HUB_REFUSALS_PER_SOURCE", 1_000, least=0, most=1_000_000)
HUB_REFUSAL_BYTES_PER_SOURCE = whole("HUB_REFUSAL_BYTES_PER_SOURCE", 67_108_864, least=0, most=2**40)
HUB_KNOWN_TYPES_ONLY = flag("HUB_KNOWN_TYPES_ONLY", default=False)  # of what is published over the API
HUB_ADD_UP_S = number("HUB_ADD_UP_S", 2, least=0, most=60)  # how often receipts are added up; 0: never

# -- the API ---------------------------------------------------------------------------------------

HUB_API_RATE = whole(
    "HUB_API_RATE", 30_000, least=0, most=100_000_000
)  # requests a minute of one key; 0: any

# -- delivering ------------------------------------------------------------------------------------

HUB_EGRESS_ALLOW = networks("HUB_EGRESS_ALLOW")  # what is private is refused unless it lies in one of these
HUB_SEATS_ASKED = whole("HUB_SEATS", 1, least=1, most=64)
HUB_SEATS = 1 if ON_SQLITE else HUB_SEATS_ASKED
HUB_SLICE_S = whole("HUB_SLICE_S", 300, least=5, most=3_600)  # how long one task keeps its seat
HUB_DRAIN_S = whole("HUB_DRAIN_S", 40, least=1, most=300)  # and then how long it may finish what is in flight
HUB_IN_FLIGHT = whole("HUB_IN_FLIGHT", 1_000, least=1, most=10_000)
HUB_WINDOW = whole("HUB_WINDOW", 10, least=1, most=1_000)
HUB_TIMEOUT_S = number("HUB_TIMEOUT_S", 15, least=0.1, most=30)
HUB_CLIENT_ERRORS = choice("HUB_CLIENT_ERRORS", "thrice", among=["once", "thrice", "schedule"])

# A lane's circuit opens when this share of at least so many attempts, settled in the last seconds, failed.
HUB_CIRCUIT_FAILURE_RATE = number("HUB_CIRCUIT_FAILURE_RATE", 0.5, least=0.01, most=1)
HUB_CIRCUIT_MIN_VOLUME = whole("HUB_CIRCUIT_MIN_VOLUME", 10, least=1, most=10_000)
HUB_CIRCUIT_WINDOW_S = number("HUB_CIRCUIT_WINDOW_S", 60, least=1, most=3_600)
HUB_CIRCUIT_COOLDOWN_S = number("HUB_CIRCUIT_COOLDOWN_S", 5, least=0.1, most=3_600)
HUB_CIRCUIT_COOLDOWN_CAP_S = number("HUB_CIRCUIT_COOLDOWN_CAP_S", 300, least=0.1, most=86_400)
HUB_DISABLE_AFTER_S = number("HUB_DISABLE_AFTER_S", 432_000, least=0, most=YEAR_S)  # 0: never

HUB_RETRY_FIRST_S = number("HUB_RETRY_FIRST_S", 1, least=0.01, most=YEAR_S)
HUB_RETRY_FACTOR = number("HUB_RETRY_FACTOR", 4, least=1, most=100)
HUB_RETRY_CAP_S = number("HUB_RETRY_CAP_S", 43_200, least=0.01, most=YEAR_S)
HUB_RETRY_MAX_ATTEMPTS = whole("HUB_RETRY_MAX_ATTEMPTS", 12, least=1, most=10_000)
HUB_RETRY_JITTER = number("HUB_RETRY_JITTER", 0.1, least=0, most=1)
HUB_RETRY_MAX_AGE_S = optional_number("HUB_RETRY_MAX_AGE_S", least=1, most=10 * YEAR_S)
HUB_RETRY_DELAYS_S = optional_numbers("HUB_RETRY_DELAYS_S", least=0, most=YEAR_S)  # wins over the four above

# -- watching --------------------------------------------------------------------------------------

HUB_METRICS_PER_SUBSCRIPTION = flag("HUB_METRICS_PER_SUBSCRIPTION", default=True)
HUB_METRICS_MAX_SERIES = whole("HUB_METRICS_MAX_SERIES", 5_000, least=10, most=1_000_000)  # of one family

HUB_LOG_FORMAT = choice("HUB_LOG_FORMAT", "auto", among=["auto", "json", "text"])  # auto: text at a terminal
HUB_LOG_LEVEL = choice("HUB_LOG_LEVEL", "", among=["", "debug", "info", "warning", "error"])
HUB_LOG_PAYLOADS = choice("HUB_LOG_PAYLOADS", "off", among=["off", "redacted", "full"])
HUB_LOG_REDACT = frozenset(name.lower() for name in words("HUB_LOG_REDACT"))

# -- keeping ---------------------------------------------------------------------------------------

# What a cascade may come to before the rest of it waits for a person: hops, and events per window.
HUB_CASCADE_DEPTH = whole("HUB_CASCADE_DEPTH", 16, least=1, most=1_000)
HUB_CASCADE_BUDGET = whole("HUB_CASCADE_BUDGET", 1_000, least=1, most=1_000_000)
HUB_CASCADE_WINDOW_S = whole("HUB_CASCADE_WINDOW_S", 600, least=1, most=YEAR_S)

HUB_TRACE_URL = template("HUB_TRACE_URL", must_hold="{trace_id}")  # of the tracing system; empty: no link

HUB_KEEP_BODIES_DAYS = whole("HUB_KEEP_BODIES_DAYS", 30, least=1, most=36_500)
HUB_KEEP_ROWS_DAYS = whole("HUB_KEEP_ROWS_DAYS", 90, least=1, most=36_500)
HUB_KEEP_REFUSALS_DAYS = whole("HUB_KEEP_REFUSALS_DAYS", 14, least=1, most=36_500)

# -- Django ----------------------------------------------------------------------------------------

DEBUG = flag("HUB_DEBUG", default=False)
_PUBLIC = urlsplit(HUB_PUBLIC_URL)
ALLOWED_HOSTS = words("HUB_ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
if HUB_HOST not in {"0.0.0.0", "::"}:  # noqa: S104
    ALLOWED_HOSTS.append(f"[{HUB_HOST}]" if ":" in HUB_HOST else HUB_HOST)
if _PUBLIC.hostname:
    ALLOWED_HOSTS.append(_PUBLIC.hostname)
    CSRF_TRUSTED_ORIGINS = [f"{_PUBLIC.scheme}://{_PUBLIC.netloc}"]

INSTALLED_APPS = [
    "hub.apps.ConsoleConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_q",
    "django_prometheus",
    "webhooks",
    "deliveries",
    "hub.apps.HubConfig",
]

MIDDLEWARE = [
    "hub.middleware.PublishAtOnceMiddleware",
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "hub.middleware.ContentSecurityPolicyMiddleware",
    "hub.middleware.StaticFiles",
    "hub.bad_keys.BadKeyMiddleware",
    "hub.middleware.Sessions",
    "django.middleware.common.CommonMiddleware",
    "hub.middleware.Forms",
    "hub.middleware.Accounts",
    "hub.middleware.Messages",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "hub.request_counts.CountingMiddleware",
]

ROOT_URLCONF = "hub.urls"
WSGI_APPLICATION = "hub.wsgi.application"
APPEND_SLASH = False  # the API's addresses have no slash, the console's have; neither redirects

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

LANGUAGE_CODE = "en-us"
USE_I18N = False
USE_TZ = True
FORMAT_MODULE_PATH = ["hub.formats"]
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True  # no collectstatic: a few hundred small files are found once, at start

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _PUBLIC.scheme == "https"
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
DATA_UPLOAD_MAX_MEMORY_SIZE = HUB_MAX_BODY

REST_FRAMEWORK = {
    # A door says itself whom it lets in; one that forgets to is shut to everyone.
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_SCHEMA_CLASS": "hub.openapi.operations.Described",
}

SPECTACULAR_SETTINGS = {
    "OAS_VERSION": "3.1.1",
    "TITLE": "Weir",
    "DESCRIPTION": "A webhook hub: publish events, subscribe to them, see what became of each, and send it again.",
    "VERSION": "1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENABLE_DJANGO_DEPLOY_CHECK": False,
    "POSTPROCESSING_HOOKS": [],  # enums stay where they are used
}

PROMETHEUS_EXPORT_MIGRATIONS = False  # it would ask the database at every start of every process

# -- the cluster -----------------------------------------------------------------------------------

_TASK_LIMIT_S = HUB_SLICE_S + HUB_DRAIN_S + 60

Q_CLUSTER = {
    "name": "weir",
    "label": "Task queue",
    "orm": "default",
    # A seat has a dispatcher and, while that one drains, its successor; two more do everything else.
    "workers": 2 * HUB_SEATS + 2,
    "timeout": _TASK_LIMIT_S,
    "retry": _TASK_LIMIT_S + 60,  # later than the timeout, or a task would be run again while it still runs
    "max_attempts": 1,
    "ack_failures": True,  # a task that failed is not run again: its schedule runs the next one
    "save_limit": -1,  # successes are not kept: each one kept would lock all the others
    "poll": 0.5 if ON_SQLITE else 0.2,
    "recycle": 100,
    "catch_up": False,
    "guard_cycle": 0.5,
    "log_level": "WARNING",
}

# -- lines -----------------------------------------------------------------------------------------

LOGGING_CONFIG = "hub.logs.configure"
_LEVEL = (HUB_LOG_LEVEL or "info").upper()
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "hub.logs.formatter",
            "format": "{asctime} {levelname:<7} {name}: {message}",
            "style": "{",
            "datefmt": "%H:%M:%S",
        }
    },
    "filters": {"news": {"()": "hub.logs.News"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["news"]}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        "hub": {"level": _LEVEL},
        "webhooks": {"level": _LEVEL},
        "deliveries": {"level": _LEVEL},
        "django": {"handlers": [], "level": "WARNING", "propagate": True},
        "django.request": {"level": "ERROR"},  # what a stranger asks for in vain is no news
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        "django-q": {"level": "WARNING"},
        "_granian": {"handlers": [], "level": "WARNING", "propagate": True},  # in its workers
    },
}
