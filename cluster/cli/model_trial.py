"""`rtfs models test`: a model is loaded in this process and asked."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from cluster.cli.model_choice import Choice, add_function, add_policy, function_of, positive, with_model
from rtfs.cli import options as common
from rtfs.cli.console import Console, Exit

if TYPE_CHECKING:
    from actors.models.inference import InferenceRequest, InferenceResponse
    from actors.models.provider import ModelProvider

_TIMEOUT_S: Final = 60.0
#: elements of a list of numbers that are shown
_SHOWN: Final = 4


def parse(argv: Sequence[str]) -> Namespace:
    """The options of `rtfs models test`."""
    summary = (
        "Ask a model something: its answer, how sure it is, how long it took. Exit code 1 if there is none."
    )
    examples = (
        ('rtfs models test mood "what a lovely day"', ""),
        ('rtfs models test small "what a lovely day" --type "[:enum :glad :cross]"', ""),
        ("rtfs models test remote-large - < letter.txt", "the text from stdin"),
    )
    parser = common.Parser("models test", summary, examples)
    parser.add_argument("id", metavar="ID", help="of the model, `rtfs models list` shows them")
    parser.add_argument("text", metavar="TEXT", help="what it is given; `-` is stdin")
    parser.add_argument(
        "--timeout",
        type=positive,
        default=_TIMEOUT_S,
        metavar="SECONDS",
        help="for its answer (default: %(default)g)",
    )
    add_function(parser)
    add_policy(parser)
    return parser.options(argv)


def execute(options: Namespace, console: Console) -> Exit:
    """Ask a model."""

    def ask(model: ModelProvider, choice: Choice, load_s: float) -> Exit:
        from actors.models.inference import InferenceRequest

        request = InferenceRequest(
            function=function_of(choice, options), args=(_text(options.text),), timeout_s=options.timeout
        )
        began = time.perf_counter()
        response, is_shown = _answered(model, request, console)
        latency_ms = (time.perf_counter() - began) * 1000
        if not console.json:
            if not is_shown:
                console.show_text(_shown(response.value))
            console.note(_figures(response, latency_ms, load_s))
        found = {**_as_json(choice, response, latency_ms, load_s), "problems": list(model.problems)}
        return console.finish(Exit.VALUE, found)

    return with_model(options, console, ask)


def _text(given: str) -> str:
    from rtfs.cli.sources import STDIN, read_text

    return read_text(STDIN)[0] if given == STDIN else given


def _answered(
    model: ModelProvider, request: InferenceRequest, console: Console
) -> tuple[InferenceResponse, bool]:
    """The answer, and whether it was shown already, as it came."""
    stream = getattr(model, "stream", None)
    if stream is None or console.json or not console.out.isatty():
        return model.infer(request), False
    from rtfs.report import for_terminal

    pieces = stream(request)
    try:
        while True:
            console.out.write(for_terminal(next(pieces)))
            console.out.flush()
    except StopIteration as end:
        return end.value, True
    finally:
        pieces.close()
        console.say("")


def _shown(value: Any) -> str:
    """A value for people; of a long list of numbers how it begins."""
    from rtfs.printer import pr_str, pretty
    from rtfs.values import Vector

    if isinstance(value, Vector) and len(value) > 2 * _SHOWN and all(type(each) is float for each in value):
        first = " ".join(pr_str(round(each, 4)) for each in list(value)[:_SHOWN])
        return f"[{first} …]  ; {len(value)} numbers"
    return pretty(value)


def _figures(response: InferenceResponse, latency_ms: float, load_s: float) -> str:
    usage = response.usage
    parts = [
        *([] if response.confidence is None else [f"confidence {response.confidence:.3f}"]),
        f"{latency_ms:.1f} ms",
        *([f"{usage['prompt_tokens']} tokens read"] if "prompt_tokens" in usage else []),
        *([f"{usage['completion_tokens']} tokens written"] if "completion_tokens" in usage else []),
        *([f"{response.cost_usd:.6f} USD"] if response.cost_usd else []),
        *([f"loaded in {load_s:.2f} s"] if load_s else []),
    ]
    return ", ".join(parts)


def _as_json(
    choice: Choice, response: InferenceResponse, latency_ms: float, load_s: float
) -> Mapping[str, Any]:
    from rtfs.cli.results import describe_value

    return {
        "model": choice.name,
        "kind": choice.kind,
        "version": response.model_version,
        **describe_value(response.value),
        "confidence": response.confidence,
        "latency_ms": round(latency_ms, 3),
        "load_ms": round(load_s * 1000, 3),
        "usage": dict(response.usage),
        "cost_usd": response.cost_usd,
    }
