"""All settings, read from the environment by `config.env` and by nobody else. Each is listed in docs/settings.md."""

import sys
import warnings
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django_stubs_ext

from config import env, sign_in
from config.sign_in import *  # noqa: F403 - constants, each beginning with ACCOUNT_, MFA_ or SOCIALACCOUNT_

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent

DEBUG = env.flag("DEBUG", default=False)
SECRET_KEY = env.required(
    "SECRET_KEY", "Generate one with: python3 -c 'import secrets; print(secrets.token_urlsafe(50))'"
)
SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS", [])
PUBLIC_URL = env.text("PUBLIC_URL", "http://127.0.0.1:8000").rstrip("/")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", ["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]

# -- secrets of our own -----------------------------------------------------------------------
# All are lists, newest first, so that they can be rotated: "version:secret,version:secret".
KEY_PEPPER = env.required(
    "KEY_PEPPER",
    "Give 1:SECRET, with at least 32 random characters. Keys issued under it stop working when it is lost.",
)
CREDENTIAL_KEYS = env.required(
    "CREDENTIAL_KEYS", "Give 1:KEY, where KEY comes from cryptography.fernet.Fernet.generate_key()."
)
SIGNING_KEYS = env.text("SIGNING_KEYS")  # seeds of Ed25519 keys; without one no statements are made
PROVIDER_SECRET = env.read  # the registry names the variables, so they cannot be listed here

# -- applications -----------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "csp",
    "ninja",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.google",
    "allauth.socialaccount.providers.github",
    "allauth.socialaccount.providers.openid_connect",
    "accounts",
    "billing",
    "gateway",
]
MIDDLEWARE = [
    "gateway.management_api.ManagementMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.compression.Compression",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.sessions.LastSeenMiddleware",
]
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "config.navigation.shell",
            ]
        },
    }
]

# -- state ------------------------------------------------------------------------------------
_DATABASE = env.database()
DATABASES: dict[str, Any] = {
    "default": {
        **_DATABASE,
        "OPTIONS": {
            **_DATABASE["OPTIONS"],
            "connect_timeout": 5,
            # Only data definition may take longer, and migrations say so themselves.
            "options": "-c statement_timeout=15000 -c lock_timeout=5000 -c idle_in_transaction_session_timeout=10000",
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = env.required("REDIS_URL", "Start everything with ./dev up, or give redis://host:6379/0.")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "web",
        "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1},
    }
}

# -- people -----------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "accounts:sign-in"
LOGIN_REDIRECT_URL = "accounts:dashboard"
LOGOUT_REDIRECT_URL = "/"
STATUS_PAGE = env.choice("STATUS_PAGE", "public", ("public", "members", "staff"))
SIGN_UP_OPEN = env.choice("SIGN_UP_OPEN", "invited", ("everybody", "invited", "nobody"))

SOCIALACCOUNT_PROVIDERS = sign_in.providers(
    google=(env.text("SIGN_IN_GOOGLE_ID"), env.text("SIGN_IN_GOOGLE_SECRET")),
    github=(env.text("SIGN_IN_GITHUB_ID"), env.text("SIGN_IN_GITHUB_SECRET")),
    oidc=(env.text("SIGN_IN_OIDC_ID"), env.text("SIGN_IN_OIDC_SECRET")),
    oidc_url=env.text("SIGN_IN_OIDC_URL"),
    oidc_name=env.text("SIGN_IN_OIDC_NAME", "Single sign-on"),
)

# -- the browser's side of security -----------------------------------------------------------
_SECURE = urlsplit(PUBLIC_URL).scheme == "https"
SECURE_SSL_REDIRECT = _SECURE and env.flag("SECURE_SSL_REDIRECT", default=True)
SECURE_HSTS_SECONDS = 31_536_000 if _SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _SECURE
SECURE_HSTS_PRELOAD = _SECURE
SECURE_REFERRER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.flag("BEHIND_TLS_PROXY", default=False) else None
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _SECURE
SESSION_COOKIE_NAME = "__Host-session" if _SECURE else "session"
CSRF_COOKIE_NAME = "__Host-csrf" if _SECURE else "csrf"
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if _SECURE else "http"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "EXCLUDE_URL_PREFIXES": ["/admin/"],  # its theme needs inline scripts; it has a policy of its own
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
    },
}
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000
TRUSTED_PROXIES = env.words("TRUSTED_PROXIES", [])  # addresses or networks whose X-Forwarded-For and X-Request-Id count

# -- the management API -----------------------------------------------------------------------
# JSON for programs that have a key: no browsable pages, so rest_framework is no application here and has no static
# files, and no sessions, so there is nothing to forge a request with.
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.authentication.KeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.authentication.InGoodStanding"],
    "DEFAULT_THROTTLE_CLASSES": ["gateway.throttle.KeyThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_METADATA_CLASS": None,
    "URL_FORMAT_OVERRIDE": None,
    "EXCEPTION_HANDLER": "gateway.management_api.answer_error",
}

# -- static files, language, time -------------------------------------------------------------
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
_COLLECTED = (STATIC_ROOT / "staticfiles.json").exists()  # an image has them; a checkout serves them where they lie
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if _COLLECTED or "collectstatic" in sys.argv
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not _COLLECTED
if not _COLLECTED:
    warnings.filterwarnings("ignore", message="No directory at", category=UserWarning)
    warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")
LANGUAGE_CODE = "en-us"
USE_I18N = False
TIME_ZONE = "UTC"
USE_TZ = True

# -- mail -------------------------------------------------------------------------------------
EMAIL_BACKEND = env.text("EMAIL_BACKEND", "accounts.kept_mail.Backend")
EMAIL_HOST = env.text("EMAIL_HOST", "localhost")
EMAIL_PORT = env.integer("EMAIL_PORT", 25)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD")
EMAIL_USE_TLS = env.flag("EMAIL_USE_TLS", default=False)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "2389 <noreply@localhost>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL
ADMINS = [(address, address) for address in env.words("STAFF_ALERT_EMAILS", [])]

# -- background work --------------------------------------------------------------------------
CELERY_BROKER_URL = env.text("CELERY_BROKER_URL", REDIS_URL)

# -- payments by card -------------------------------------------------------------------------
STRIPE_SECRET_KEY = env.text("STRIPE_SECRET_KEY")
STRIPE_WEBHOOK_SECRETS = env.words("STRIPE_WEBHOOK_SECRET", [])  # two of them while one is rolled
STRIPE_API_URL = env.text("STRIPE_API_URL", "https://api.stripe.com").rstrip("/")
TOP_UP_LEAST = env.integer("TOP_UP_LEAST", 5)  # dollars, by hand and automatically
TOP_UP_MOST = env.integer("TOP_UP_MOST", 5000)
INVOICE_NAME = env.text("INVOICE_NAME")  # who issues receipts and invoices
INVOICE_ADDRESS = env.text("INVOICE_ADDRESS").replace("\\n", "\n")
INVOICE_TAX_ID = env.text("INVOICE_TAX_ID")
BILLING_CALL = "gateway.payment_calls.call"  # what opens billing's connections

# -- the data plane ---------------------------------------------------------------------------
GATEWAY_PLANE = env.text("GATEWAY_PLANE", "both")  # both, data or control: what this process serves
GATEWAY_WORKERS = env.integer("GATEWAY_WORKERS", 1)  # how many processes share a key's limit when Valkey is away
GATEWAY_DEFAULT_RPM = env.integer("GATEWAY_DEFAULT_RPM", 60)
GATEWAY_STREAMS_PER_KEY = env.integer("GATEWAY_STREAMS_PER_KEY", 20)  # open at once
GATEWAY_STREAMS_PER_ORGANIZATION = env.integer("GATEWAY_STREAMS_PER_ORGANIZATION", 100)
GATEWAY_STREAMS_PER_PROCESS = env.integer("GATEWAY_STREAMS_PER_PROCESS", 500)
GATEWAY_STRANGERS_RPM = env.integer("GATEWAY_STRANGERS_RPM", 30)  # requests without a right key, of one address
GATEWAY_BAD_KEYS_RPM = env.integer("GATEWAY_BAD_KEYS_RPM", 10)  # those of them that bring a wrong one
GATEWAY_RETIRED_MODELS = env.text("GATEWAY_RETIRED_MODELS", "follow")  # follow or refuse; an organisation may differ
GATEWAY_MAX_BODY_BYTES = env.integer("GATEWAY_MAX_BODY_BYTES", 25 * 1024 * 1024)
GATEWAY_MAX_HEADER_BYTES = env.integer("GATEWAY_MAX_HEADER_BYTES", 32 * 1024)
GATEWAY_MAX_HEADERS = env.integer("GATEWAY_MAX_HEADERS", 96)
GATEWAY_MAX_JSON_DEPTH = env.integer("GATEWAY_MAX_JSON_DEPTH", 64)
GATEWAY_MAX_JSON_ENTRIES = env.integer("GATEWAY_MAX_JSON_ENTRIES", 20_000)  # of one list or object
GATEWAY_MAX_JSON_VALUES = env.integer("GATEWAY_MAX_JSON_VALUES", 500_000)  # of a whole body
GATEWAY_MAX_TEXT_CHARACTERS = env.integer("GATEWAY_MAX_TEXT_CHARACTERS", 8 * 1024 * 1024)
GATEWAY_REQUESTS_PER_PROCESS = env.integer("GATEWAY_REQUESTS_PER_PROCESS", 2048)  # at the same time, of any kind
GATEWAY_HEADER_SECONDS = env.number("GATEWAY_HEADER_SECONDS", 10)
GATEWAY_BODY_IDLE_SECONDS = env.number("GATEWAY_BODY_IDLE_SECONDS", 10)
GATEWAY_BODY_TOTAL_SECONDS = env.number("GATEWAY_BODY_TOTAL_SECONDS", 60)
GATEWAY_CLIENT_WRITE_SECONDS = env.number("GATEWAY_CLIENT_WRITE_SECONDS", 30)
GATEWAY_KEEP_ALIVE_SECONDS = env.number("GATEWAY_KEEP_ALIVE_SECONDS", 15)
GATEWAY_CONNECT_SECONDS = env.number("GATEWAY_CONNECT_SECONDS", 5)
GATEWAY_FIRST_BYTE_SECONDS = env.number("GATEWAY_FIRST_BYTE_SECONDS", 120)
GATEWAY_IDLE_SECONDS = env.number("GATEWAY_IDLE_SECONDS", 60)
GATEWAY_TOTAL_SECONDS = env.number("GATEWAY_TOTAL_SECONDS", 1800)
GATEWAY_MAX_UPSTREAM_BYTES = env.integer("GATEWAY_MAX_UPSTREAM_BYTES", 32 * 1024 * 1024)
GATEWAY_WEBHOOK_HOSTS = env.words("GATEWAY_WEBHOOK_HOSTS", [])  # may be private, and may be called without TLS
GATEWAY_IMAGE_HOSTS = env.words("GATEWAY_IMAGE_HOSTS", [])  # images may be fetched there although it is private
GATEWAY_IMAGE_MAX_BYTES = env.integer("GATEWAY_IMAGE_MAX_BYTES", 20 * 1024 * 1024)  # all that a request names
GATEWAY_IMAGE_SECONDS = env.number("GATEWAY_IMAGE_SECONDS", 10)
GATEWAY_POOL_SIZE = env.integer("GATEWAY_POOL_SIZE", 8)  # Postgres connections of one data-plane process
GATEWAY_SPOOL_DIR = BASE_DIR / env.text("GATEWAY_SPOOL_DIR", ".dev/spool")  # settlements that Postgres did not take
GATEWAY_HEARTBEAT_SECONDS = env.number("GATEWAY_HEARTBEAT_SECONDS", 2)  # what a killed process can lose of a stream
GATEWAY_OUTPUT_FLOOR_TOKENS = env.integer("GATEWAY_OUTPUT_FLOOR_TOKENS", 256)  # less than that is not worth a call
GATEWAY_MAX_OUTPUT_TOKENS = env.integer("GATEWAY_MAX_OUTPUT_TOKENS", 8192)  # of models that state no limit of their own
GATEWAY_REGISTRY_SECONDS = env.number("GATEWAY_REGISTRY_SECONDS", 5)
GATEWAY_ORPHAN_SECONDS = env.integer("GATEWAY_ORPHAN_SECONDS", 120)  # silence after which an open request is closed
GATEWAY_KEY_CACHE_SECONDS = env.number(
    "GATEWAY_KEY_CACHE_SECONDS", 4
)  # the bound on a revoked key's life, with a margin under 5 s

# -- logging ----------------------------------------------------------------------------------
LOG_LEVEL = env.text("LOG_LEVEL", "INFO")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"redact": {"()": "config.logs.Redact"}},
    "formatters": {"json": {"()": "config.logs.JsonFormatter"}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "stream": sys.stderr,
            "formatter": "json",
            "filters": ["redact"],
        }
    },
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "httpx": {"level": "WARNING"},
        "aiohttp": {"level": "WARNING"},
        "fido2": {"level": "WARNING"},
        "django.request": {"level": "ERROR"},
        "django.server": {"level": "WARNING"},
    },
}

UNFOLD = {
    "SITE_TITLE": "2389",
    "SITE_HEADER": "2389",
    "SITE_SUBHEADER": "Staff",
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "config.theme.favicon"}],
    "SIDEBAR": {"show_search": True, "navigation": "config.theme.navigation"},
    "BORDER_RADIUS": "6px",
    "COLORS": {  # the accent of static/css/tokens.css, from the lightest to the darkest
        "primary": {
            "50": "oklch(97.5% 0.015 262)",
            "100": "oklch(94% 0.03 262)",
            "200": "oklch(88.5% 0.06 262)",
            "300": "oklch(81% 0.09 262)",
            "400": "oklch(74% 0.12 262)",
            "500": "oklch(62% 0.155 262)",
            "600": "oklch(49% 0.17 262)",
            "700": "oklch(42% 0.17 262)",
            "800": "oklch(36% 0.14 262)",
            "900": "oklch(30% 0.11 262)",
            "950": "oklch(23% 0.08 262)",
        }
    },
}
