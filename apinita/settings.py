"""Django's settings, all from the environment. Defaults suit `make run`; `.env.example` lists what may be set."""

from urllib.parse import urlsplit

from django.utils.translation import gettext_lazy as _

from apinita import environment
from lib.crypto import BadKeys, Keyring

ROOT = environment.ROOT
DATA = environment.data_folder()
EMBEDDED = environment.is_embedded()
PUBLIC_URL = environment.public_url()
DEBUG = environment.flag("APINITA_DEBUG", False)

try:
    KEYRING = environment.keyring()
    KEYS_PROBLEM = ""
except BadKeys as error:
    # Commands that need no secrets (help, up's own first start) still run; web server and workers refuse to.
    KEYRING = Keyring.parse(Keyring.generate("none"))
    KEYS_PROBLEM = str(error)
HAS_KEYS = not KEYS_PROBLEM
SECRET_KEY, *SECRET_KEY_FALLBACKS = (key.hex() for key in KEYRING.derive("django"))

_public = urlsplit(PUBLIC_URL)
_loopback = _public.hostname in {"127.0.0.1", "localhost", "::1"}
ALLOWED_HOSTS = [_public.hostname or "", *filter(None, environment.text("APINITA_HOSTS").split(","))]
if _loopback:
    ALLOWED_HOSTS += ["127.0.0.1", "localhost", "[::1]"]
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]

INSTALLED_APPS = [
    "accounts.apps.AccountsConfig",
    "connections.apps.ConnectionsConfig",
    "scenarios.apps.ScenariosConfig",
    "apinita.cabinet.apps.CabinetConfig",
    "apinita.apps.ApinitaConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "rest_framework",
    "drf_spectacular",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "apinita.cabinet.security.SecurityHeaders",
    "accounts.middleware.ReadableText",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.Workspaces",
    "accounts.middleware.LanguageAndZone",
    "django.contrib.messages.middleware.MessageMiddleware",
    "accounts.middleware.SignInRequired",
]

ROOT_URLCONF = "apinita.urls"
WSGI_APPLICATION = "apinita.wsgi.application"
CABINET_COUNTS = {"connections": "connections.access.count_for_nav"}
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.messages.context_processors.messages",
                "apinita.cabinet.context.shell",
            ],
        },
    }
]

DATABASES = {
    "default": environment.database()
    | {
        "CONN_MAX_AGE": 0,  # connections go back to the pool after each request
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": True,
    }
}
if environment.uses_pool:
    pool = {"min_size": 1, "max_size": environment.number("APINITA_DATABASE_POOL", 16), "timeout": 10}
    pool["reconnect_timeout"] = 10  # or its pauses grow to minutes, and it stays away after the database is back
    DATABASES["default"]["OPTIONS"]["pool"] = pool
DATABASES["default"]["OPTIONS"] |= {
    "server_side_binding": True,
    "prepare_threshold": 2,
    "connect_timeout": 5,
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = environment.redis_url()

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
LOGIN_URL = "accounts:sign_in"
LOGIN_REDIRECT_URL = "dashboard"
LOGOUT_REDIRECT_URL = "accounts:sign_in"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 8}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
PASSWORD_RESET_TIMEOUT = 3600
SIGN_UP_OPEN = environment.flag("APINITA_SIGN_UP", True)

SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_AGE = 7 * 24 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _public.scheme == "https"
SESSION_COOKIE_NAME = "__Host-session" if SESSION_COOKIE_SECURE else "session"
CSRF_COOKIE_NAME = "__Host-csrf" if CSRF_COOKIE_SECURE else "csrf"
LANGUAGE_COOKIE_NAME = "language"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SILENCED_SYSTEM_CHECKS = ["security.W002"]  # X-Frame-Options is among apinita.cabinet.security's headers
BEHIND_PROXY = environment.flag("APINITA_BEHIND_PROXY", False)
if _public.scheme == "https":
    SECURE_HSTS_SECONDS = 2 * 365 * 24 * 3600
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = True
    SECURE_SSL_REDIRECT = environment.flag("APINITA_SSL_REDIRECT", True)
    if BEHIND_PROXY:
        SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

LANGUAGE_CODE = environment.text("APINITA_LANGUAGE", "en")
LANGUAGES = [("ru", _("Russian")), ("en", _("English"))]
LOCALE_PATHS = [ROOT / "locale"]
TIME_ZONE = environment.text("APINITA_TIME_ZONE", "Europe/Moscow")
USE_TZ = True

STATIC_URL = "/static/"
STATICFILES_DIRS = [ROOT / "static"]
WHITENOISE_USE_FINDERS = True  # served from static/ as it is: a fresh clone needs no collectstatic
WHITENOISE_AUTOREFRESH = DEBUG

EMAIL_BACKEND = (
    "django.core.mail.backends.smtp.EmailBackend"
    if environment.text("EMAIL_HOST")
    else "django.core.mail.backends.console.EmailBackend"
)
EMAIL_HOST = environment.text("EMAIL_HOST")
EMAIL_PORT = environment.number("EMAIL_PORT", 587)
EMAIL_HOST_USER = environment.text("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = environment.text("EMAIL_HOST_PASSWORD")
EMAIL_USE_TLS = environment.flag("EMAIL_USE_TLS", True)
EMAIL_TIMEOUT = 15
DEFAULT_FROM_EMAIL = environment.text("EMAIL_FROM", "APInita <noreply@localhost>")

DATA_UPLOAD_MAX_MEMORY_SIZE = 2_500_000
FILE_UPLOAD_HANDLERS = ["apinita.cabinet.uploads.NoUploads"]
WEBHOOK_MAX_BYTES = environment.number("APINITA_WEBHOOK_MAX_BYTES", 1_000_000)
MAX_QUEUED = environment.number("APINITA_MAX_QUEUED", 10_000)
MAX_RUNNING = environment.number("APINITA_MAX_RUNNING", 0)  # runs of one workspace at a time; 0: no limit
RUN_DEADLINE_S = environment.number("APINITA_RUN_DEADLINE_S", 86_400)  # without the waits that a run is made of
ALLOWED_PRIVATE_HOSTS = environment.text("APINITA_ALLOWED_PRIVATE_HOSTS")
DENIED_NETWORKS = environment.text("APINITA_DENIED_NETWORKS")
SANDBOX_URL = environment.text("APINITA_SANDBOX_URL")  # set by `up --sandbox`: offers the preset and the example

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.api_auth.TokenAuthentication", "accounts.api_auth.CabinetSession"],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.api_auth.RoleAllows"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["accounts.api_auth.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "accounts.api_errors.answer",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "APInita",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {"MethodEnum": ["POST", "GET"], "FormatEnum": ["form", "json"]},
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": environment.text("APINITA_LOG_LEVEL", "INFO")},
    "loggers": {"django.request": {"level": "ERROR"}},
}
