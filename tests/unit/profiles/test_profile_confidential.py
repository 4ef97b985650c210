from __future__ import annotations

import pytest

from pytest_ohllm.profiles.confidential import masked, shown_url, values


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://u:p@host:1/v1", "http://***@host:1/v1"),
        ("https://token@host", "https://***@host"),
        ("http://u:p@x@host/v1?a=b@c", "http://***@host/v1?a=b@c"),
        ("http://host/a@b", "http://host/a@b"),
        ("openai/gpt@latest", "openai/gpt@latest"),
    ],
)
def test_user_and_password_of_an_address_are_masked(url: str, shown: str) -> None:
    assert shown_url(url) == shown


def test_every_header_and_telling_names_in_a_body_are_masked() -> None:
    settings = {
        "model": "openai/x",
        "temperature": 1.0,
        "max_output_tokens": 5,
        "base_url": "http://u:p@host/v1",
        "extra_headers": {"X-Anything": "v"},
        "litellm_extra_body": {"a": {"api_key": "k", "n": 1}, "return_token_ids": True},
    }
    assert masked(settings) == {
        "model": "openai/x",
        "temperature": 1.0,
        "max_output_tokens": 5,
        "base_url": "http://***@host/v1",
        "extra_headers": {"X-Anything": "***"},
        "litellm_extra_body": {"a": {"api_key": "***", "n": 1}, "return_token_ids": True},
    }


def test_a_user_name_alone_is_a_token_and_beside_a_password_it_is_not() -> None:
    assert values({"base_url": "http://token@host/v1"}) == {"token"}
    assert values({"base_url": "http://user:word@host/v1"}) == {"word"}
    assert values({"base_url": "http://[bad:word@host/v1"}) == set()
