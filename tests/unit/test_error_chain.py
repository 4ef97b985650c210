from __future__ import annotations

import httpx
import pytest

from pytest_ohllm.error_chain import facts_of
from tests.endpoints import Endpoint, refusal, unused_port


class Wrapper(RuntimeError):
    """Keeps its cause as an attribute, as the SDK does."""

    def __init__(self, message: str, original_exception: BaseException | None = None) -> None:
        super().__init__(message)
        self.original_exception = original_exception


def caught(raise_it: object) -> BaseException:
    """The exception that a function raises."""
    try:
        raise_it()  # type: ignore[operator]
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def types(error: BaseException) -> list[str]:
    """Names of the chain's classes, outermost first."""
    return [link.type.rpartition(".")[2] for link in facts_of(error).links]


def test_the_chain_runs_from_what_was_caught_to_its_root() -> None:
    def fail() -> None:
        try:
            try:
                raise KeyError("choices")
            except KeyError as error:
                raise ValueError("no choices") from error
        except ValueError:
            raise RuntimeError("it failed")  # noqa: B904 - an implicit context is what is tested

    facts = facts_of(caught(fail))

    assert [link.type for link in facts.links] == [
        "builtins.RuntimeError",
        "builtins.ValueError",
        "builtins.KeyError",
    ]
    assert facts.root.message == "'choices'"
    assert facts.root.frame == "tests/unit/test_error_chain.py:fail"


def test_an_original_that_is_kept_as_an_attribute_is_followed() -> None:
    assert types(Wrapper("outer", Wrapper("inner", OSError("root")))) == [
        "Wrapper",
        "Wrapper",
        "OSError",
    ]


def test_a_context_that_was_hidden_on_purpose_stays_hidden() -> None:
    def fail() -> None:
        try:
            raise KeyError("an implementation detail")
        except KeyError:
            raise ValueError("what matters") from None

    assert types(caught(fail)) == ["ValueError"]


@pytest.mark.parametrize(
    ("host", "root"),
    [("127.0.0.1", "ConnectionRefusedError"), ("no-such-host.invalid", "gaierror")],
)
def test_what_httpcore_hides_is_found(
    host: str, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    url = f"http://{host}:{unused_port()}"

    chain = types(caught(lambda: httpx.get(url)))

    assert chain == ["ConnectError", "ConnectError", root]


def test_a_circle_has_an_end() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first

    assert types(first) == ["ValueError", "ValueError"]


def test_the_deepest_status_and_the_body_come_with_it() -> None:
    with Endpoint(refusal(429, "slow down")) as endpoint:
        error = caught(lambda: httpx.get(endpoint.base_url).raise_for_status())
    outer = Wrapper("litellm says 500", error)
    outer.status_code = 500  # type: ignore[attr-defined]

    facts = facts_of(outer)

    assert [link.status for link in facts.links] == [500, 429]
    assert facts.status == 429
    assert "slow down" in facts.root.body


def test_a_response_that_was_never_read_has_no_body() -> None:
    error = httpx.HTTPStatusError(
        "x",
        request=httpx.Request("GET", "http://h"),
        response=httpx.Response(500, stream=_Unread()),
    )

    (link,) = facts_of(error).links

    assert (link.status, link.body) == (500, None)


class _Unread(httpx.SyncByteStream):
    pass


def test_an_exception_that_cannot_be_printed_does_not_hide_the_failure() -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise TypeError("no words")

    (link,) = facts_of(Broken()).links

    assert link.message == "<no message: TypeError>"


def test_a_message_is_cut_at_a_length_that_can_be_kept() -> None:
    (link,) = facts_of(ValueError("x" * 100_000)).links

    assert len(link.message) == 8000
