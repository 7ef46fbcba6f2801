"""Secrets as headers."""

from __future__ import annotations

import pytest

from actors.remote.bearer import authorization
from policies.errors import TargetFailed
from policies.file.schema import RemoteProvider

KEYED = RemoteProvider(endpoint="http://x", api_key_env="KEY")


def test_a_provider_without_a_secret_gets_no_header():
    assert authorization(RemoteProvider(endpoint="http://x"), {"KEY": "a"}) == {}


def test_blanks_around_it_are_no_part_of_it():
    assert authorization(KEYED, {"KEY": " sk-1\n"}) == {"authorization": "Bearer sk-1"}


@pytest.mark.parametrize("environ", [{}, {"KEY": ""}, {"KEY": " \n"}, {"KEY": "a\nb"}, {"KEY": "ä"}])
def test_what_cannot_be_sent_is_not_repeated(environ: dict[str, str]):
    with pytest.raises(TargetFailed, match="the environment variable KEY ") as failed:
        authorization(KEYED, environ)
    assert failed.value.cause == "auth"
    assert "ä" not in str(failed.value)
