"""The example, as its README runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from usso.testing import Issuer

EXAMPLE = Path(__file__).parents[2] / "examples" / "django"
CALLS = """
import json, os, django
django.setup()
from django.test import Client
client = Client(SERVER_NAME="localhost", enforce_csrf_checks=True)
calls = json.loads(os.environ["CALLS"])
answers = [client.get(path, headers=headers) for path, headers in calls]
print(json.dumps([[answer.status_code, answer.json()] for answer in answers]))
"""


def run(folder: Path, *arguments: str, **environment: str) -> str:
    given = {**os.environ, "DJANGO_SETTINGS_MODULE": "settings", **environment}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=given, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_example_does_what_its_readme_says(tmp_path: Path) -> None:
    folder = tmp_path / "example"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__", "*.sqlite3"))
    with Issuer(audience="files").serve() as issuer:
        known, reader = issuer.authorization(), issuer.authorization(scopes=["read:files"])
        calls: list[Any] = [("/me", {}), ("/me", known), ("/files", known), ("/files", reader)]
        usso = {"USSO_BASE_URL": issuer.name, "USSO_AUDIENCE": issuer.audience}
        run(folder, "manage.py", "migrate", **usso)
        answers = json.loads(run(folder, "-c", CALLS, CALLS=json.dumps(calls), **usso))
    assert [status for status, _ in answers] == [401, 200, 403, 200]
    assert answers[1][1] == {"sub": "user:1", "user": 1}
    assert answers[3][1] == {"owner": "user:1", "files": ["notes.txt"]}
