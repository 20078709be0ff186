"""The project that is tested: settings, and servers on real sockets."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured as ImproperlyConfigured

from usso.exceptions import PermissionDenied
from usso.user import UserData

SESSION = "django.contrib.sessions.middleware.SessionMiddleware"
CSRF = "django.middleware.csrf.CsrfViewMiddleware"
DJANGOS = "django.contrib.auth.middleware.AuthenticationMiddleware"
OURS = "usso.integrations.django.USSOAuthenticationMiddleware"


def configure() -> None:
    """Sets Django up, once for a process."""
    if settings.configured:
        return
    folder, owner = Path(tempfile.mkdtemp()), os.getpid()

    def clean() -> None:
        # Forked children of other tests end with it as well.
        if os.getpid() == owner:
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(clean)
    settings.configure(
        SECRET_KEY="only for tests",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF="site_urls",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "rest_framework",
            "usso.integrations.django",
        ],
        MIDDLEWARE=[SESSION, CSRF, DJANGOS, OURS],
        AUTHENTICATION_BACKENDS=[
            "django.contrib.auth.backends.ModelBackend",
            "usso.integrations.django.USSOAuthenticationBackend",
        ],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": folder / "db.sqlite3",
                "OPTIONS": {"timeout": 20},
            }
        },
        CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
        REST_FRAMEWORK={
            "DEFAULT_AUTHENTICATION_CLASSES": ["usso.integrations.django.USSOTokenAuthentication"],
            "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        },
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        LOGGING_CONFIG=None,
        USE_TZ=True,
    )
    django.setup()


@contextmanager
def serve_wsgi() -> Iterator[int]:
    """Serves the project with Django's own server in threads, on a free port."""
    from django.core.handlers.wsgi import WSGIHandler
    from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler

    class Quiet(WSGIRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            """Keeps quiet."""

    server = ThreadedWSGIServer(("127.0.0.1", 0), Quiet)
    server.set_app(WSGIHandler())
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


ASKED: list[str | None] = []


def link_by_email(caller: UserData, request: Any) -> Any:
    """Is what `USSO_LINK_USER` names in some tests."""
    from django.contrib.auth.models import User

    assert request.path == "/user"
    ASKED.append(caller.sub)
    if caller.claims.get("banned"):
        raise PermissionDenied("app.banned")
    return User.objects.filter(email=caller.email).first() if caller.email else None
