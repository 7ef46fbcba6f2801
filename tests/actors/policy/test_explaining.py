"""Where functions would run, as a runtime explains it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import rtfs
from actors.caches.l4.lookup import ModuleIndex
from actors.caches.l4.publish import publish
from actors.caches.l4.signing import SigningKey
from actors.caches.l4.store import ModuleStore
from actors.caches.l4.trust import TrustStore
from actors.policy.explaining import explained
from actors.requests import RunRequest
from policies.file.load import load_policy
from rtfs import errors
from rtfs.runtime_facts import RuntimeFacts

POLICY = load_policy(
    """
[delegation]
[delegation.local_models]
echo = { kind = "echo" }
[[delegation.rules]]
symbols = ["f", "m/*"]
tenants = ["acme"]
targets = ["local-echo"]
""",
    source="p.toml",
)


def targets(request: RunRequest) -> dict[str, str]:
    found = explained(request, POLICY)
    json.dumps(found)  # it goes out as JSON
    assert found["policy"] == {"source": "p.toml", "version": POLICY.version}
    assert found["file"] == request.source_name
    return {each["symbol"]: each["target"] for each in found["functions"]}


def test_each_function_is_explained_for_whom_it_runs() -> None:
    source = "(defn f [x] x) (defn g [x] x) (f (g 1)) (/ 1 0)"  # nothing is run
    acme = RunRequest(source=source, facts=RuntimeFacts(tenant="acme"))
    assert targets(acme) == {"f": "local-echo", "g": "local-pure"}
    assert targets(RunRequest(source=source)) == {"f": "local-pure", "g": "local-pure"}


def test_functions_of_modules_are_explained_too() -> None:
    modules = {"m": "(module m (:exports [h]) (defn h [] 1))"}
    request = RunRequest(
        source="(import m) (m/h)", source_name="x.rtfs", modules=modules, facts=RuntimeFacts(tenant="acme")
    )
    assert targets(request) == {"m/h": "local-echo"}


def test_what_is_no_program_is_not_explained() -> None:
    with pytest.raises(errors.ReadError):
        explained(RunRequest(source="(defn f ["), POLICY)


def test_a_signed_module_is_explained(tmp_path: Path) -> None:
    key = SigningKey.new()
    TrustStore().trusting(key.public, "build", now=1.0).write(tmp_path / "trust.json")
    text = "(defn square [n : int] : int (* n n)) (square 3)"
    with ModuleStore(tmp_path / "l4") as store:
        (module,) = publish(rtfs.compile(text), key, store, now=1.0).modules
        index = ModuleIndex(store, tmp_path / "trust.json")
        (found,) = explained(RunRequest(source=text), load_policy("[delegation]"), index)["functions"]
    assert found["target"] == f"l4-{module.id}"
    assert "a signed module has its very interface" in str(found)
