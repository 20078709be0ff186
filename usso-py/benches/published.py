"""The published package, in a folder of its own: two packages of one name cannot be installed."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).resolve().parent
OURS = Path(find_spec("usso").origin or "").parents[1]  # type: ignore[union-attr]
PUBLISHED = HERE.parents[1] / "target" / "published-usso"
PACKAGES = ("usso==0.33.5", "usso-jwt==0.2.19")


def install() -> Path:
    """Gives the folder, and fills it if it is not there."""
    if not (PUBLISHED / "usso").is_dir():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        subprocess.run([*pip, "--target", str(PUBLISHED), *PACKAGES], check=True)
    return PUBLISHED


def load() -> tuple[ModuleType, ModuleType]:
    """Imports the published `auth` and `config`, then puts our package in its place.

    Both run in this process: what was imported stays in use, but its names become free again.
    """
    sys.path.insert(0, str(install()))
    import usso.auth
    import usso.config

    found = usso.auth, usso.config
    sys.path.pop(0)
    for name in [name for name in sys.modules if name.partition(".")[0] in ("usso", "usso_jwt")]:
        del sys.modules[name]
    sys.path.insert(0, str(OURS))
    return found
