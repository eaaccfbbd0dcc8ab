"""Django's settings, for both tiers. What a deployment may change comes from config/env.py."""

import sys
from typing import Any

from config import env
from config.addresses import Database
from config.postgresql.keywords import connection_keywords, session_settings

GREENROOM = env.read()
LOBBY = GREENROOM.tier == "lobby"
PRODUCTION = GREENROOM.production

SECRET_KEY = GREENROOM.secret_key
DEBUG = False  # in every mode: no answer ever shows a stack, a query or a path
ALLOWED_HOSTS = [*GREENROOM.allowed_hosts]

# Both tiers install both apps, so that the lobby's admin shows the realtime service's models.
INSTALLED_APPS = [
    "config",  # first: its runserver takes the place of others
    *([] if LOBBY else ["channels"]),
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "lobby",
    "realtime",
]
AUTH_USER_MODEL = "realtime.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# For the admin and the documentation. The lobby's API (lobby/asgi.py) and the realtime tier's HTTP
# (plain ASGI routes) pass through none of it.
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "config.lobby_urls" if LOBBY else "config.realtime_urls"
ASGI_APPLICATION = "config.lobby_asgi.application" if LOBBY else "config.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]


def sqlite() -> dict[str, Any]:
    """One file, durable at every commit; a writer waits for another for 2 s at most. Raises
    BadEnvironment when its folder can't be made."""
    try:
        GREENROOM.data.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        reason = f"GREENROOM_DATA is no folder that can be used: {problem.strerror}."
        raise env.BadEnvironment(reason) from None
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": GREENROOM.data / "greenroom.sqlite3",
        "OPTIONS": {
            "timeout": 2,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL",
        },
    }


def postgresql(database: Database) -> dict[str, Any]:
    """A connection for each page, on which nothing hangs; a migration takes the time it takes.

    Raises BadEnvironment for what can't stand behind the ? of DATABASE_URL.
    """
    given = {"host": database.host, "port": database.port, "user": database.user}
    given |= {"password": database.password, "dbname": database.name}
    query = dict(database.options)
    limits = {
        "statement_timeout": "2000",  # ms
        "lock_timeout": "1000",
        "idle_in_transaction_session_timeout": "2000",
    }
    migrating = sys.argv[1:2] == ["migrate"]
    session = session_settings(query.get("options", "")) | ({} if migrating else limits)
    return {
        "ENGINE": "config.postgresql",
        "NAME": database.name,
        "HOST": database.host,
        "PORT": database.port,
        "USER": database.user,
        "PASSWORD": database.password,
        "OPTIONS": {
            **connection_keywords(query, given),
            "application_name": "greenroom pages",
            "session": session,
        },
    }


try:
    DATABASES = {"default": postgresql(GREENROOM.database) if GREENROOM.database else sqlite()}
except env.BadEnvironment as problem:
    env.end_process(problem)


def redis(url: str) -> dict[str, Any]:
    """Publish and subscribe; what can't be told in time is not told. Nothing is tried twice, as
    everything behind it would wait."""
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    host = {
        "address": url,
        "socket_connect_timeout": 0.5,
        "socket_timeout": 1,
        "retry": Retry(NoBackoff(), 0),
    }
    return {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [host], "prefix": "greenroom"},
    }


CHANNEL_LAYERS = {
    "default": (
        redis(GREENROOM.redis_url)
        if GREENROOM.redis_url
        else {"BACKEND": "channels.layers.InMemoryChannelLayer"}
    ),
}

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"

# WhiteNoise serves the admin's and the API documentation's files from where they are installed.
STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_ALLOW_ALL_ORIGINS = False

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SECURE_HSTS_SECONDS = 30 * 24 * 3600 if PRODUCTION else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if GREENROOM.trusted_proxies else None
X_FRAME_OPTIONS = "DENY"
SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # HSTS for subdomains and
    "security.W021",  # its preload list speak for a whole domain: its owner's decision
    "security.W008",  # the proxy that ends TLS redirects; a redirected POST would lose its body
]

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_SCHEMA_CLASS": "lobby.schema.JsonSchema",
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "UNAUTHENTICATED_USER": None,
    "EXCEPTION_HANDLER": "lobby.errors.exception_handler",
    "NUM_PROXIES": GREENROOM.trusted_proxies,
}
SPECTACULAR_SETTINGS = {
    "OAS_VERSION": "3.1.0",
    "POSTPROCESSING_HOOKS": [],  # the models' schemas are complete as they come
    "TITLE": "Greenroom",
    "DESCRIPTION": "Create a room, join it, look at it; then connect to the wsUrl of the answer.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "config.logs.LineFormatter"}},
    "filters": {"strangers": {"()": "config.logs.StrangersNoise"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "line"},
        "none": {"class": "logging.NullHandler"},
    },
    "root": {"handlers": ["stderr"], "level": GREENROOM.log_level},
    "loggers": {
        # Django's own handlers would print a second time, or mail; a refused request is no warning.
        "django": {"handlers": [], "propagate": True},
        "django.request": {"level": "ERROR"},
        "django.security": {"level": "CRITICAL"},  # nor are a host and a form that nobody knows
        "httpx": {"level": "WARNING"},  # it would log every call,
        "uvicorn": {"level": "WARNING"},  # and this one how it starts
        "uvicorn.error": {"filters": ["strangers"]},
        "channels_redis": {"handlers": ["none"], "propagate": False},  # the bus says it, once
    },
}
