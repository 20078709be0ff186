"""What an import costs: time and memory, best of several new processes, beside other packages."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import published

PROCESSES = 15

PROBE = """
import json, sys, time
sys.path.insert(0, {folder!r})

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1])

modules, pages, started = len(sys.modules), resident(), time.perf_counter()
{code}
spent = time.perf_counter() - started
print(json.dumps([spent * 1000, (resident() - pages) / 256, len(sys.modules) - modules]))
"""

WORKING = """
from usso import AuthConfig, UssoAuth
x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
key = {"kty": "OKP", "crv": "Ed25519", "kid": "1", "x": x}
UssoAuth(AuthConfig(jwks={"keys": [key]}, issuer="https://sso.example", audience="a"))
"""


def subjects() -> dict[str, tuple[str, Path]]:
    """What is imported, and from which folder."""
    ours, theirs = published.OURS, published.install()
    return {
        "`import usso`": ("import usso", ours),
        "`from usso import UssoAuth`": ("from usso import UssoAuth", ours),
        "a `UssoAuth` that is ready": (WORKING, ours),
        "`import usso` 0.33.5 (published)": ("import usso", theirs),
        f"`import pydantic` ({version('pydantic')})": ("import pydantic", ours),
        f"`import jwt` (PyJWT {version('PyJWT')})": ("import jwt", ours),
    }


def probe(code: str, folder: Path) -> tuple[float, float, int]:
    """Gives milliseconds, MiB and how many modules, of one process."""
    script = PROBE.format(code=code, folder=str(folder))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    spent, grown, modules = json.loads(done.stdout)
    return spent, grown, modules


def best(runs: list[tuple[float, float, int]]) -> tuple[float, float, int]:
    return min(run[0] for run in runs), min(run[1] for run in runs), runs[0][2]


def main() -> None:
    found = subjects()
    runs: dict[str, list[tuple[float, float, int]]] = {name: [] for name in found}
    for code, folder in found.values():
        probe(code, folder)  # Writes what is compiled to disk.
    for _ in range(PROCESSES):
        for name, (code, folder) in found.items():
            runs[name].append(probe(code, folder))
    python = sys.version.partition(" ")[0]
    print(f"## Imports in Python {python}\n\nBest of {PROCESSES} processes.\n")
    print("| | time, ms | memory, MiB | modules | time, to the published | memory, to it |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    base = best(next(times for name, times in runs.items() if "published" in name))
    for name, times in runs.items():
        spent, grown, modules = best(times)
        ratios = f"{spent / base[0]:.2f} | {grown / base[1]:.2f}"
        print(f"| {name} | {spent:.1f} | {grown:.1f} | {modules} | {ratios} |")


if __name__ == "__main__":
    main()
