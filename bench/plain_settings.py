"""The least settings a Django project needs, on the hub's database. BENCH_MIDDLEWARE adds to them.

`startproject` gives the view what every new Django project has, `hub` what the hub's own pages have.
"""

import os

from hub import settings as hub

_WISH = os.environ.get("BENCH_MIDDLEWARE", "")
_OF_STARTPROJECT = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

SECRET_KEY = hub.SECRET_KEY
DATABASES = hub.DATABASES
ALLOWED_HOSTS = hub.ALLOWED_HOSTS
ROOT_URLCONF = "bench.plain"
USE_TZ = True
INSTALLED_APPS = hub.INSTALLED_APPS if _WISH else []
MIDDLEWARE = {"hub": hub.MIDDLEWARE, "startproject": _OF_STARTPROJECT}.get(_WISH, [])
TEMPLATES = hub.TEMPLATES
STATIC_URL = hub.STATIC_URL
WHITENOISE_USE_FINDERS = hub.WHITENOISE_USE_FINDERS
PROMETHEUS_EXPORT_MIGRATIONS = hub.PROMETHEUS_EXPORT_MIGRATIONS
