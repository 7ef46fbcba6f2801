from __future__ import annotations

import math
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tiny_gguf import CHATML, NO_SYSTEM, Tiny, write_corrupt, write_tiny, write_truncated

from actors.models.errors import ModelError
from actors.models.generation.answering import SPAN, confidence
from actors.models.generation.file_check import check_numbers
from actors.models.generation.gguf_model import GgufModel
from actors.models.generation.memory import available_bytes
from actors.models.gguf_file import GgufFile, content_hash
from actors.models.inference import FunctionFacts, InferenceRequest, InferenceResponse
from actors.models.registry import ModelRegistry
from policies.errors import TargetFailed
from policies.file.schema import LocalModelEntry
from rtfs.values import Keyword

LABEL = "[:enum :spam :ham :neither]"


def entry(path: Path, **given: Any) -> LocalModelEntry:
    return LocalModelEntry(**{"path": str(path), "device": "cpu:1", "parallel": 3, **given})


def request(*args: Any, returns: str = LABEL, **given: Any) -> InferenceRequest:
    function = FunctionFacts(
        symbol="triage/kind-of",
        doc="What kind of message this is.",
        parameters=("text",),
        parameter_types=("string",),
        return_type=returns,
    )
    return InferenceRequest(function, args or ("Buy now!",), **given)


@pytest.fixture(scope="module")
def long_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with a context that whole prompts fit into."""
    folder = tmp_path_factory.mktemp("long")
    return write_tiny(folder / "long.gguf", Tiny(template=CHATML, n_ctx=4096, n_vocab=2000))


@pytest.fixture(scope="module")
def model(long_path: Path) -> Iterator[GgufModel]:
    with GgufModel("tiny", entry(long_path, max_tokens=200)) as found:
        yield found


# ---------------------------------------------------------------- answers


@pytest.mark.parametrize(
    ("returns", "kind"),
    [
        (LABEL, Keyword),
        ('[:enum "yes" "no"]', str),
        ("bool", bool),
        ("int", int),
        ("[:tuple bool int]", object),
        ("[:map [:kind [:enum :a :b]] [:sure bool]]", object),
    ],
)
def test_an_answer_is_a_value_of_the_return_type(model: GgufModel, returns: str, kind: type) -> None:
    answer = model.infer(request(returns=returns))
    assert isinstance(answer.value, kind)
    assert answer.text
    assert answer.confidence is not None
    assert 0 < answer.confidence <= 1
    assert answer.usage["completion_tokens"] > 0
    assert answer.usage["prompt_tokens"] > 50
    assert answer.latency_ms is not None
    assert answer.latency_ms > 0
    assert answer.model_version == model.version


def test_the_same_request_gets_the_same_answer(model: GgufModel) -> None:
    one, other = model.infer(request()), model.infer(request())
    assert (one.value, one.text) == (other.value, other.text)
    assert one.confidence == pytest.approx(other.confidence, rel=1e-3)
    assert other.usage["cached_tokens"] == other.usage["prompt_tokens"] - 1


def test_a_batch_is_answered_in_its_order_and_failures_stay_their_own(model: GgufModel) -> None:
    requests = [
        request("one"),
        request(returns="[:fn [:int] :int]"),
        request("two"),
        request(options={"temperature": "hot"}),
        request("three"),
        request(timeout_s=0.0),
        request("four"),
    ]
    replies = model.infer_batch(requests)
    failures = [reply.cause if isinstance(reply, TargetFailed) else None for reply in replies]
    assert failures == [None, "bad-request", None, "bad-request", None, "timeout", None]
    for asked, reply in zip(requests, replies, strict=True):
        if isinstance(reply, InferenceResponse):
            assert reply.value == model.infer(asked).value


def test_an_answer_that_is_cut_off_is_no_answer(model: GgufModel) -> None:
    with pytest.raises(TargetFailed) as caught:
        model.infer(request(options={"max_tokens": 2}))
    assert str(caught.value) == "bad-reply: the answer of the model `tiny` was cut off after 2 tokens"


def test_options_of_sampling_are_heard(model: GgufModel) -> None:
    def answers(seed: int) -> list[Any]:
        options = {"temperature": 2.0, "seed": seed, "top_k": 0, "top_p": 1.0, "min_p": 0.0}
        replies = [model.infer(request(str(at), options=options)) for at in range(12)]
        return [reply.value for reply in replies]

    assert answers(1) == answers(1) != answers(2)


def test_a_text_is_answered_with_a_text(long_path: Path) -> None:
    with GgufModel("tiny", entry(long_path, temperature=1.0, seed=4, max_tokens=2000)) as model:
        text = model.infer_text("hello")
    assert text
    assert not text.startswith('"')


def test_the_confidence_of_an_answer() -> None:
    assert confidence(0.0, 0) == 1.0
    assert confidence(-0.5, 1) == confidence(-0.5, SPAN) == pytest.approx(0.6065, rel=1e-3)
    # twice as long, as sure of each token
    assert confidence(-1.0, 2 * SPAN) == pytest.approx(confidence(-0.5, SPAN))
    assert 0 <= confidence(-1e6, 100) <= 1


def test_answers_drawn_by_chance_come_as_often_as_their_confidence_says(model: GgufModel) -> None:
    n = 400
    options = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0}
    # an answer can be spelt in several ways, each with a confidence of its own
    found = Counter(
        (reply.text, round(reply.confidence or 0.0, 4))
        for reply in (model.infer(request(returns="bool", options={**options, "seed": at})) for at in range(n))
    )
    assert len(found) > 2
    for (_, share), count in found.items():
        # five standard deviations
        assert abs(count / n - share) < 5 * math.sqrt(share * (1 - share) / n) + 1 / n


# ---------------------------------------------------------------- streams


def test_a_stream_is_the_answers_text_in_pieces(model: GgufModel) -> None:
    pieces = list(model.stream(request()))
    assert len(pieces) > 1
    assert "".join(pieces) == model.infer(request()).text


def test_a_stream_that_nobody_reads_on_leaves_nothing_behind(model: GgufModel) -> None:
    stream = model.stream(request())
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert model.infer(request()).value in map(Keyword.of, ("spam", "ham", "neither"))


def test_a_stream_ends_with_the_failure_of_its_answer(model: GgufModel) -> None:
    stream = model.stream(request(options={"max_tokens": 2}))
    assert next(stream)
    with pytest.raises(TargetFailed, match="cut off after 2 tokens"):
        list(stream)
    with pytest.raises(TargetFailed, match="bad-request"):
        list(model.stream(request(returns="[:fn [:int] :int]")))


def test_streams_and_batches_go_side_by_side(model: GgufModel) -> None:
    expected = model.infer(request("x")).text
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append("".join(model.stream(request("x"))))) for _ in "abcd"
    ]
    for thread in threads:
        thread.start()
    replies = model.infer_batch([request("x")] * 5)
    for thread in threads:
        thread.join()
    assert {reply.text for reply in replies if isinstance(reply, InferenceResponse)} == {expected}
    assert found == [expected] * 4


# ---------------------------------------------------------------- prompts


def test_a_prompt_that_does_not_fit_is_refused_before_anything_is_read(model: GgufModel) -> None:
    with pytest.raises(TargetFailed) as caught:
        model.infer(request("word " * 4000))
    assert caught.value.cause == "bad-request"
    assert "takes 3896 beside its answer, its context has 4096" in caught.value.detail
    assert "word word" not in caught.value.detail


def test_a_prompt_that_does_not_fit_loses_the_middle_of_its_longest_argument(long_path: Path) -> None:
    text = "begin " + "word " * 4000 + "end"
    with GgufModel("tiny", entry(long_path, overflow="truncate", max_tokens=100)) as model:
        answer = model.infer(request("short", text))
    assert answer.usage["truncated_tokens"] > 10_000
    assert 3900 < answer.usage["prompt_tokens"] <= 3996


def test_without_a_string_nothing_can_be_left_out(long_path: Path) -> None:
    with (
        GgufModel("tiny", entry(long_path, overflow="truncate", context_length=64)) as model,
        pytest.raises(TargetFailed, match="bad-request: the prompt has "),
    ):
        model.infer(request(7))


def test_where_the_instructions_alone_do_not_fit_nothing_helps(long_path: Path) -> None:
    with (
        GgufModel("tiny", entry(long_path, overflow="truncate", context_length=64)) as model,
        pytest.raises(TargetFailed, match="bad-request: the prompt has "),
    ):
        model.infer(request("hello " * 100))


@pytest.mark.parametrize("template", [None, NO_SYSTEM])
def test_models_without_a_template_or_system_messages(tmp_path: Path, template: str | None) -> None:
    path = write_tiny(tmp_path / "other.gguf", Tiny(template=template, n_ctx=4096))
    with GgufModel("other", entry(path)) as model:
        assert isinstance(model.infer(request(returns="bool")).value, bool)


def test_completion_can_be_asked_for_and_is_another_version(long_path: Path, model: GgufModel) -> None:
    with GgufModel("tiny", entry(long_path, mode="completion", max_tokens=200)) as other:
        other.infer(request())
        assert other.version != model.version
        assert other.version.split("-")[0] == model.version.split("-")[0] == content_hash(long_path)


# ---------------------------------------------------------------- life


def test_the_registry_makes_it(long_path: Path) -> None:
    model = ModelRegistry().make("tiny", entry(long_path))
    assert isinstance(model, GgufModel)
    assert (model.max_batch, model.concurrency) == (3, 3)
    with pytest.raises(ModelError, match="model `tiny`: expected the `path` of a GGUF file, it is missing"):
        ModelRegistry().make("tiny", LocalModelEntry(kind="gguf"))


def test_before_and_after_it_is_loaded_nothing_is_answered(long_path: Path) -> None:
    model = GgufModel("tiny", entry(long_path))
    for _ in range(2):
        with pytest.raises(TargetFailed, match="connection-refused: the model `tiny` is not loaded"):
            model.infer(request())
        model.load()
        model.load()
        model.warm_up()
        assert model.infer(request(returns="bool")).value in (True, False)
        model.close()
        model.close()
    model.cancel(frozenset({"a"}))
    assert model.problems == ()


def test_closing_while_answers_are_under_way(long_path: Path) -> None:
    model = GgufModel("tiny", entry(long_path))
    model.load()
    failures: list[TargetFailed] = []

    def ask() -> None:
        try:
            while True:
                model.infer_batch([request(str(number)) for number in range(5)])
                model.infer(request())
        except TargetFailed as failure:
            failures.append(failure)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    model.infer(request())
    model.close()
    for thread in threads:
        thread.join(30)
    assert len(failures) == 4
    assert {failure.cause for failure in failures} <= {"connection-lost", "connection-refused"}


def test_a_longer_context_than_the_model_was_made_for_is_a_problem(long_path: Path) -> None:
    with GgufModel("tiny", entry(long_path, context_length=5000)) as model:
        assert model.problems == (
            "`context_length` is 5000, the model was made for 4096: answers may be worse",
        )


def test_a_gpu_that_llama_cpp_cannot_use_is_a_problem(long_path: Path) -> None:
    from actors.models.generation.runtime import llama

    if llama().llama_supports_gpu_offload():
        pytest.skip("llama.cpp was compiled with GPU support")
    with GgufModel("tiny", entry(long_path, device="gpu:1")) as model:
        assert model.problems == (
            "`device` is `gpu:1`, llama.cpp was compiled without GPU support: it uses the CPU",
        )
        assert isinstance(model.infer(request(returns="bool")).value, bool)


@pytest.mark.gpu
def test_on_a_gpu(long_path: Path) -> None:
    from actors.models.generation.runtime import llama

    if not llama().llama_supports_gpu_offload():
        pytest.skip("llama.cpp was compiled without GPU support, or there is no GPU")
    with (
        GgufModel("tiny", entry(long_path, device="gpu:1")) as there,
        GgufModel("tiny", entry(long_path)) as here,
    ):
        assert there.problems == ()
        assert there.infer(request()).text == here.infer(request()).text


# ---------------------------------------------------------------- files


def _broken(folder: Path, name: str) -> Path:
    whole = write_tiny(folder / "whole.gguf", Tiny(template=CHATML))
    path = folder / "broken.gguf"
    match name:
        case "missing":
            return folder / "missing.gguf"
        case "folder":
            path.mkdir()
        case "empty":
            path.write_bytes(b"")
        case "text":
            path.write_text("# a model\n")
        case "truncated":
            write_truncated(path, whole)
        case "in header":
            write_truncated(path, whole, 0.01)
        case "magic":
            write_corrupt(path, whole, 0, b"GGML")
        case "layers":
            write_corrupt(path, whole, whole.read_bytes().index(b"llama.block_count") + 21, b"\xff\xff\xff\xff")
        case "heads":
            key = b"llama.attention.head_count_kv"
            write_corrupt(path, whole, whole.read_bytes().index(key) + len(key) + 4, b"\x04\x00\x00\x80")
        case "tokens":
            data = whole.read_bytes()
            write_corrupt(path, whole, data.index(b"<0xB2>"), b"<0xB1>")
        case "epsilon":
            key = b"llama.attention.layer_norm_rms_epsilon"
            write_corrupt(path, whole, whole.read_bytes().index(key) + len(key) + 4, b"\x00\x00\x00\x00")
        case "width":
            write_corrupt(
                path, whole, whole.read_bytes().index(b"llama.embedding_length") + 26, b"\x21\x00\x00\x00"
            )
        case "bert":
            write_tiny(path, Tiny(architecture="bert"))
        case "unknown architecture":
            write_tiny(path, Tiny(architecture="lama"))
        case "no bytes":
            write_tiny(path, Tiny(has_byte_tokens=False))
        case "template":
            write_tiny(path, Tiny(template="{% for"))
    return path


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", "{path}: cannot read the file: No such file or directory"),
        ("folder", "{path}: cannot read the file: Is a directory"),
        ("empty", "{path}: expected a GGUF file, it is empty"),
        ("text", "{path}: expected a GGUF file, it begins with `# a `"),
        ("truncated", "{path}: the file is cut off"),
        ("in header", "{path}: the file is cut off"),
        ("magic", "{path}: expected a GGUF file, it begins with `GGML`"),
        ("layers", "{path}: the file is damaged: `llama.block_count` is 4294967295, expected 1 to 512"),
        (
            "heads",
            "{path}: the file is damaged: `llama.attention.head_count_kv` is 2147483652, expected 0 to 8192",
        ),
        ("tokens", "{path}: the file is damaged: its token 183 is there twice"),
        ("epsilon", "{path}: the file is damaged: `llama.attention.layer_norm_rms_epsilon` is 0.0"),
        ("width", "{path}: llama.cpp cannot load this file: check_tensor_dims: tensor 'token_embd.weight'"),
        (
            "bert",
            "{path}: this model turns texts into vectors (`bert`) and generates nothing; "
            'use it with `kind = "classifier"`',
        ),
        (
            "unknown architecture",
            "{path}: llama.cpp cannot load this file: unknown model architecture: 'lama'",
        ),
        ("no bytes", "{path}: the vocabulary lacks some of the 256 tokens for single bytes"),
        ("template", "{path}: the chat template cannot be used: "),
    ],
)
def test_a_file_that_cannot_be_used_is_an_error_that_says_why(tmp_path: Path, name: str, message: str) -> None:
    path = _broken(tmp_path, name)
    with pytest.raises(ModelError) as caught:
        GgufModel("tiny", entry(path)).load()
    assert str(caught.value).startswith(message.format(path=path))


def test_a_part_of_a_model_is_refused(long_path: Path) -> None:
    file = GgufFile(
        architecture="llama", metadata={"split.count": 3, "llama.block_count": 2}, lengths={}, tensors={}
    )
    with pytest.raises(ModelError, match="this is one of 3 parts of a model; join them by"):
        check_numbers(long_path, file)


def test_chat_needs_a_template(plain_path: Path) -> None:
    with pytest.raises(ModelError, match='the file has no chat template; `mode = "completion"` needs none'):
        GgufModel("plain", entry(plain_path, mode="chat")).load()


def test_a_file_that_needs_more_memory_than_there_is(long_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.models.generation.loading.available_bytes", lambda: 1000)
    with pytest.raises(TargetFailed) as caught:
        GgufModel("tiny", entry(long_path)).load()
    assert caught.value.cause == "out-of-memory"
    assert caught.value.detail.endswith("1.0 kB of memory are free")


def test_a_context_that_needs_more_memory_than_there_is(
    long_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.models.generation.session.available_bytes", lambda: 5_000_000)
    with pytest.raises(TargetFailed) as caught:
        GgufModel("tiny", entry(long_path, parallel=8)).load()
    assert caught.value.cause == "out-of-memory"
    # 2 layers, 32 numbers of two bytes for key and value each
    assert caught.value.detail.endswith(
        "a context of 4096 tokens takes 8.4 MB for 8 answers at once, 5.0 MB are free; "
        "`context_length = 2304` would fit"
    )


def test_how_much_memory_there_is(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    assert available_bytes(meminfo, tmp_path) is None
    meminfo.write_text("MemTotal:  9000 kB\nMemAvailable:    4000 kB\n")
    assert available_bytes(meminfo, tmp_path) == 4_096_000
    (tmp_path / "memory.max").write_text("3000000\n")
    (tmp_path / "memory.current").write_text("1000000\n")
    (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 300000\n")
    assert available_bytes(meminfo, tmp_path) == 2_300_000
    (tmp_path / "memory.max").write_text("max\n")
    assert available_bytes(meminfo, tmp_path) == 4_096_000
    assert (available_bytes() or 1) > 0


def test_llama_cpp_is_silent(long_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with GgufModel("tiny", entry(long_path)) as model:
        model.infer(request(returns="bool"))
    with pytest.raises(ModelError):
        GgufModel("tiny", entry(_broken(long_path.parent, "unknown architecture"))).load()
    assert capfd.readouterr() == ("", "")


def test_importing_models_imports_nothing_of_llama_cpp() -> None:
    ours = "{'numpy', 'llama_cpp', 'jinja2'} & set(sys.modules)"
    program = f"import sys; import actors.models.registry; print({ours})"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"


def test_without_llama_cpp_it_is_said_what_to_install(long_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.models.generation.runtime._loaded", {})
    monkeypatch.setitem(sys.modules, "llama_cpp", None)
    with pytest.raises(ModelError) as caught:
        GgufModel("tiny", entry(long_path)).load()
    assert str(caught.value) == 'llama.cpp is not installed; `pip install "rtfs[models]"` compiles it'


def test_tiny_models_are_the_same_each_time(tmp_path: Path) -> None:
    one, other = (write_tiny(tmp_path / f"{name}.gguf", Tiny(template=CHATML)) for name in "ab")
    assert one.read_bytes() == other.read_bytes()
    assert one.stat().st_size < 400_000
