"""Secrets out of texts."""

from __future__ import annotations

import pytest

from actors.access import token as tokens
from actors.telemetry.masking import Masker

SECRET = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"token rtfs_3f9a1c02b7de_{SECRET}.", "token rtfs_3f9a1c02b7de_***."),
        (f"Authorization: Bearer rtfs_3f9a1c02b7de_{SECRET}", "Authorization: Bearer rtfs_3f9a1c02b7de_***"),
        (f"Bearer rtfs_{SECRET}", "Bearer ***"),
        ("{'authorization': 'bearer sk-abc.def-123456'}", "{'authorization': 'bearer ***'}"),
        ("Basic dXNlcjpwYXNzd29yZA==", "Basic ***"),
        ("https://user:hunter2!@example.com/v1", "https://user:***@example.com/v1"),
        ("rtfs_http_requests_total and rtfs_model_latency_ms", None),
        ("the bearer of news; https://example.com:8080/a@b", None),
        ("", None),
    ],
)
def test_what_looks_like_a_secret(text: str, masked: str | None) -> None:
    assert Masker()(text) == (text if masked is None else masked)


def test_every_token_that_is_made_is_masked() -> None:
    token_id, secret = tokens.new_secret()
    assert Masker()(tokens.clear_text(token_id, secret)) == f"rtfs_{token_id}_***"


def test_values_of_secret_variables() -> None:
    masker = Masker.from_environ(
        {
            "OPENAI_API_KEY": "sk-abcdefgh",
            "RAY_AUTH_TOKEN": "ray.token+value",
            "DB_PASSWORD_2": "sk-abcdefgh-longer",
            "NIGHTLY": "named-by-the-policy",
            "PIN_KEY": "1234567",
            "KEYBOARD_LAYOUT": "qwertyuiop",
            "TOKENIZERS_PARALLELISM": "false-and-long",
        },
        names=["NIGHTLY"],
    )
    text = (
        "sk-abcdefgh-longer sk-abcdefgh ray.token+value named-by-the-policy 1234567 qwertyuiop false-and-long"
    )
    assert masker(text) == "*** *** *** *** 1234567 qwertyuiop false-and-long"
    assert masker("rayXtoken+value") == "rayXtoken+value"  # values are no patterns
