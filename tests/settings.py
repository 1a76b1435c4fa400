"""The hub's settings for tests: a folder of their own that goes away, and PostgreSQL by TEST_DATABASE_URL."""

import atexit
import os
import shutil
import tempfile

_RUN = os.getpid()


def _remove(folder: str) -> None:
    if os.getpid() == _RUN:  # and not in a process forked by a test
        shutil.rmtree(folder, ignore_errors=True)


# Processes that a test starts read this file again; they share the first one's folder.
if "TEST_VAR" not in os.environ:
    os.environ["TEST_VAR"] = tempfile.mkdtemp(prefix="weir-tests-")
    atexit.register(_remove, os.environ["TEST_VAR"])
os.environ["HUB_VAR"] = os.environ["TEST_VAR"]
os.environ["DATABASE_URL"] = (
    os.environ.get("TEST_DATABASE_URL") or f"sqlite:///{os.environ['HUB_VAR']}/weir.sqlite3"
)

from hub.settings import *  # noqa: E402, F403
from hub.settings import DATABASES, ON_SQLITE  # noqa: E402

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
if not ON_SQLITE:
    DATABASES["default"]["TEST"] = {"NAME": f"test_weir_{_RUN}"}  # two runs beside each other do not meet
# Nothing is remembered from one page to the next, so that a page asks as many questions each time.
CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
# Steps of events are told to those tests that ask for them.
HUB_LOG_FORMAT = "text"
# Tests add up when they ask for it: a thread that writes by itself would meet their transactions.
HUB_ADD_UP_S = 0
# A test's questions are counted without those that count requests.
HUB_API_RATE = 0
