"""The verdicts of Rust on some thousand tokens: in Python the same, code by code.

`cargo run -p usso-verify --features testing --example verdicts` writes them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from usso import _native

FILE = Path(__file__).parents[3] / "target" / "verdicts.json"
COMMAND = "cargo run -p usso-verify --features testing --example verdicts --"


@pytest.fixture(scope="module")
def corpus() -> dict[str, Any]:
    path = Path(os.environ.get("USSO_VERDICTS") or FILE)
    if not path.is_file():
        pytest.fail(f"there is no {path}: write it with `{COMMAND} {path}`")
    corpus: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    later = [later for case in corpus["cases"] for _, _, later in case["verdicts"]]
    assert len(later) > 6000, "the file is not whole"
    assert 1500 < later.count("accepted") < len(later) / 2
    return corpus


def verdict(verifier: _native.Verifier, token: str | bytes) -> str:
    outcome = verifier.verify(token)
    if isinstance(outcome, _native.Claims):
        return "accepted"
    assert isinstance(outcome, _native.Refusal), outcome
    return outcome.code


@pytest.mark.parametrize("spelt", ["text", "bytes"])
def test_every_token_has_the_verdict_of_rust(corpus: dict[str, Any], spelt: str) -> None:
    different: list[str] = []
    for case in corpus["cases"]:
        verifier = _native.Verifier(json.dumps(case["config"]))
        # The clock is that of the system: the time `later` stands for any from then on.
        for token, _, later in case["verdicts"]:
            got = verdict(verifier, token.encode() if spelt == "bytes" else token)
            if got != later:
                different.append(f"{case['name']}: {later}, here {got}: {token}")
    assert not different, "\n".join([f"{len(different)} are different", *different[:20]])


def test_every_configuration_that_rust_refuses_is_refused(corpus: dict[str, Any]) -> None:
    assert corpus["refused"]
    for refused in corpus["refused"]:
        assert refused["code"] == "config.invalid"
        with pytest.raises(ValueError):
            _native.Verifier(json.dumps(refused["config"]))
