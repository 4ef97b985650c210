from __future__ import annotations

import pytest

from pytest_ohllm.profiles.endpoint import check_base_url


@pytest.mark.parametrize(
    "url",
    [
        None,
        "http://localhost:8000/v1",
        "https://api.example.com/v1/",
        "http://[::1]:8000/v1",
        "https://user:pass@host/v1",
        "https://x.openai.azure.com",
        "https://host/messages/v1",
    ],
)
def test_ordinary_addresses_have_no_problem(url: str | None) -> None:
    assert check_base_url(url, "openai/x") is None


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("localhost:8000/v1", "has no scheme: add http:// or https://"),
        ("api.example.com/v1", "has no scheme"),
        ("//host/v1", "has no scheme"),
        ("ftp://host/v1", "has the scheme 'ftp': use http or https"),
        ("https:///v1", "has no host"),
        ("http://:80/v1", "has no host"),
        ("http://host:0/v1", "has no usable port"),
        ("http://host:99999/v1", "is malformed"),
        ("http://host:abc/v1", "is malformed"),
        ("http://[::1/v1", "is malformed"),
        (" http://host/v1", "holds a space"),
        ("http://host/v1\n", "holds a space, a line break"),
        ("http://ho st/v1", "holds a space"),
        ("", "is empty"),
    ],
)
def test_an_address_that_cannot_work_is_reported_with_what_to_do(url: str, says: str) -> None:
    problem = check_base_url(url, "openai/x")
    assert problem is not None and says in problem and "\n" not in problem


@pytest.mark.parametrize("path", ["/chat/completions", "/completions", "/responses", "/messages"])
@pytest.mark.parametrize("end", ["", "/"])
def test_a_pasted_path_is_named_and_the_right_address_is_given(path: str, end: str) -> None:
    problem = check_base_url(f"http://host:1/v1{path}{end}", "openai/x")
    assert problem is not None
    assert f"ends in {path}, which is appended" in problem
    assert problem.endswith("so that it is http://host:1/v1")


def test_the_anthropic_client_appends_the_version_too() -> None:
    problem = check_base_url("https://host/v1/messages", "anthropic/claude-x")
    assert problem is not None and problem.endswith("so that it is https://host")


@pytest.mark.parametrize("model", ["", "  "])
def test_an_empty_model_is_reported(model: str) -> None:
    problem = check_base_url(None, model)
    assert problem is not None and "the model is empty" in problem


def test_a_space_around_the_model_is_reported() -> None:
    problem = check_base_url(None, "openai/x ")
    assert problem is not None and "starts or ends with a space" in problem


def test_a_password_in_a_bad_address_is_not_shown() -> None:
    for url in ("http://u:hush@host/v1/responses", "ftp://u:hush@host", "http://u:hush@host:x/"):
        problem = check_base_url(url, "openai/x")
        assert problem is not None and "hush" not in problem and "***@host" in problem
