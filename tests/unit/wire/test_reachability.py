from __future__ import annotations

import time
from pathlib import Path

import pytest

from pytest_ohllm.wire import reachability
from pytest_ohllm.wire.reachability import malformed, probe
from tests.endpoints import (
    HOST,
    Endpoint,
    Play,
    full_listener,
    hangs,
    says,
    self_signed,
    sends,
    unused_port,
)


@pytest.fixture(autouse=True)
def _without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_a_server_is_knocked_at_and_told_nothing() -> None:
    with Endpoint(says("hello")) as endpoint:
        assert probe(endpoint.base_url) is None

    assert endpoint.requests == []


def test_a_refused_port_is_known_at_once() -> None:
    port = unused_port()
    started = time.monotonic()

    problem = probe(f"http://{HOST}:{port}/v1")

    assert problem is not None
    assert problem.reason == "refused"
    assert f"{HOST}:{port}" in problem.summary
    assert time.monotonic() - started < 1


def test_a_dead_host_takes_no_longer_than_its_time() -> None:
    started = time.monotonic()
    with full_listener() as port:
        problem = probe(f"http://{HOST}:{port}/v1", seconds=0.3)

    assert problem is not None
    assert problem.reason == "timeout"
    assert f"{HOST}:{port} did not accept a connection within 0.3 s" in problem.summary
    assert time.monotonic() - started < 1


def test_the_usual_time_can_be_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reachability, "CONNECT_SECONDS", 0.1)
    with full_listener() as port:
        problem = probe(f"http://{HOST}:{port}")

    assert problem is not None
    assert "within 0.1 s" in problem.summary


def test_an_unknown_host_name_is_named() -> None:
    problem = probe("http://no-such-host.invalid/v1")

    assert problem is not None
    assert problem.reason == "dns"
    assert "'no-such-host.invalid'" in problem.summary


def test_a_host_name_that_cannot_exist_is_named() -> None:
    problem = probe(f"http://{'a' * 70}.example/v1")

    assert problem is not None
    assert problem.reason in ("base_url", "dns")
    assert "aaaa" in problem.summary


def test_a_certificate_that_nobody_vouches_for_is_a_problem_of_tls(tmp_path: Path) -> None:
    with Endpoint(says("hello"), tls=self_signed(tmp_path)) as endpoint:
        problem = probe(endpoint.base_url)

    assert problem is not None
    assert problem.reason == "tls"
    assert endpoint.address in problem.summary
    assert "self-signed" in problem.summary
    assert "SSL_CERT_FILE" in problem.next_step


def test_a_certificate_that_the_user_trusts_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    with Endpoint(says("hello"), tls=tls) as endpoint:
        assert probe(endpoint.base_url) is None


@pytest.mark.parametrize(
    "play", [sends(b"HTTP/1.1 400 Bad Request\r\n\r\n"), sends()], ids=["answers", "hangs-up"]
)
def test_https_to_a_plain_server_says_so(play: Play) -> None:
    with Endpoint(says("hello"), not_http=play) as endpoint:
        problem = probe(endpoint.base_url.replace("http:", "https:"), seconds=2)

    assert problem is not None
    assert problem.reason == "tls"
    assert problem.summary.startswith(f"{endpoint.address} does not speak TLS")
    assert "http://" in problem.next_step


def test_https_to_a_server_that_waits_for_a_plain_request_says_so() -> None:
    with Endpoint(hangs()) as endpoint:
        problem = probe(endpoint.base_url.replace("http:", "https:"), seconds=0.3)

    assert problem is not None
    assert problem.reason == "tls"
    assert "no answer to a TLS handshake within 0.3 s" in problem.summary


def test_behind_a_proxy_only_the_client_can_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.invalid:3128")

    assert probe(f"http://no-such-host.invalid:{unused_port()}/v1") is None


def test_a_proxy_is_not_asked_for_what_it_excludes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.invalid:3128")
    monkeypatch.setenv("no_proxy", HOST)

    problem = probe(f"http://{HOST}:{unused_port()}/v1")

    assert problem is not None
    assert problem.reason == "refused"


@pytest.mark.parametrize(
    ("base_url", "words"),
    [
        (" http://host/v1", "white space"),
        ("http://host/v1\n", "white space"),
        ("http://ho st/v1", "white space"),
        ("http://host/\x00v1", "white space"),
        ("host/v1", "no scheme"),
        ("localhost:8000/v1", "no scheme"),
        ("ftp://host/v1", "scheme 'ftp'"),
        ("ws://host/v1", "scheme 'ws'"),
        ("http:///v1", "names no host"),
        ("http://host:0/v1", "names no usable port"),
        ("http://host:99999/v1", "is not a URL"),
        ("http://host:port/v1", "is not a URL"),
        ("http://[::1/v1", "is not a URL"),
        ("https://host/v1/chat/completions", "'/chat/completions'"),
        ("https://host/v1/chat/completions/", "'/chat/completions'"),
        ("https://host/v1/responses", "'/responses'"),
        ("https://host/v1/messages", "'/messages'"),
        ("https://host/v1/completions", "'/completions'"),
    ],
)
def test_a_base_url_that_cannot_work_is_known_without_a_connection(
    base_url: str, words: str
) -> None:
    problem = malformed(base_url)

    assert problem is not None
    assert problem.reason == "base_url"
    assert words in problem.summary
    assert "\n" not in problem.summary + problem.next_step
    assert probe(base_url) == problem


@pytest.mark.parametrize(
    "base_url",
    [
        "http://localhost:8000/v1",
        "https://host",
        "https://host/",
        "http://[::1]:8000/v1",
        "HTTP://HOST/v1",
        "https://user:word@host/v1",
        "https://host/openai/deployments/x?api-version=1",
        "https://host/chat/completions/v1",
    ],
)
def test_a_base_url_that_may_work_is_left_alone(base_url: str) -> None:
    assert malformed(base_url) is None


@pytest.mark.parametrize(
    ("base_url", "better"),
    [
        ("https://host/v1/chat/completions", "use https://host/v1"),
        ("https://host/v1/chat/completions/", "use https://host/v1"),
        ("https://host/x/chat/completions?version=1", "use https://host/x?version=1"),
        ("host:8000/v1", "write http://host:8000/v1 or https://host:8000/v1"),
    ],
)
def test_the_better_base_url_is_spelt_out(base_url: str, better: str) -> None:
    problem = malformed(base_url)

    assert problem is not None
    assert problem.next_step == better


@pytest.mark.parametrize(
    "base_url",
    [
        "user:fake-password@host/v1",
        "ftp://user:fake-password@host/v1",
        "http://user:fake-password@host:port/v1",
        "http://user:fake-password@host/v1/chat/completions",
        "http://user:fake-password@host/v 1",
    ],
)
def test_a_password_in_a_wrong_base_url_is_not_repeated(base_url: str) -> None:
    problem = malformed(base_url)

    assert problem is not None
    assert "fake-password" not in problem.summary + problem.next_step
