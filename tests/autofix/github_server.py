"""GitHub on this machine: TLS, REST, GraphQL and git's smart HTTP on one port, as the real one.

The real ``gh`` and ``git`` talk to it with ``GH_HOST``, ``SSL_CERT_FILE`` and ``GIT_SSL_CAINFO``
(see `FakeGitHub.environment`). Repositories are bare ones on disk, served by ``git http-backend``;
who may do what is as on github.com: a token has scopes and a login, a login may push to some
repositories, a fork appears some time after it was asked for.
"""

from __future__ import annotations

import base64
import gzip
import itertools
import json
import os
import re
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from tests.autofix.github_api import graphql, rest
from tests.autofix.github_state import (
    Account,
    Json,
    Killed,
    Pull,
    Refusal,
    Repository,
    Request,
    run_git,
)


class FakeGitHub:
    """The server and all that it knows. Use it as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.accounts: dict[str, Account] = {}
        self.repositories: dict[str, Repository] = {}
        self.pulls: list[Pull] = []
        self.comments: list[Json] = []
        self.requests: list[Request] = []
        self.fork_delay = 1
        """How often git is told that a new fork is not there yet."""
        self.before: Callable[[Request], None] = lambda request: None
        """Called before a request is served; may raise Refusal, or Killed."""
        self.after: Callable[[Request], None] = lambda request: None
        """The same when it has had its effect, and before it is answered."""
        self.lock = threading.RLock()
        self._numbers = itertools.count(11)
        self.certificate = folder / "server.pem"

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        key = _certify(self.certificate)
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.hub = self
        self._server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._server.context.load_cert_chain(self.certificate, key)
        self.host = f"localhost:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Be down from now on."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    def environment(self, home: Path) -> dict[str, str]:
        """What ``gh`` and ``git`` need to find this server, and nothing of the user's own."""
        home.mkdir(parents=True, exist_ok=True)
        names = ("CONFIG", "CACHE", "STATE", "DATA")
        return {
            "HOME": str(home),
            "GH_HOST": self.host,
            "GH_CONFIG_DIR": str(home / "gh"),
            **{f"XDG_{name}_HOME": str(home / name.lower()) for name in names},
            "SSL_CERT_FILE": str(self.certificate),
            "GIT_SSL_CAINFO": str(self.certificate),
        }

    def account(self, login: str, token: str = "", **other: Any) -> Account:
        """Somebody, with a token if they log in."""
        self.accounts[login.lower()] = account = Account(login, token=token, **other)
        return account

    def repository(self, name: str, source: Path | None = None, **other: Any) -> Repository:
        """A repository with all that ``source`` has, or empty."""
        path = self.folder / "git" / f"{name}.git"
        origin = ["clone", "--quiet", "--bare", str(source)] if source else ["init", "-q", "--bare"]
        done = run_git(*origin, str(path))
        assert done.returncode == 0, done.stderr
        run_git("--git-dir", str(path), "config", "http.receivepack", "true")
        other.setdefault("writers", {name.partition("/")[0]})
        self.repositories[name.lower()] = repository = Repository(name, path, **other)
        return repository

    def pull(self, into: str, base: str, head: str, branch: str, **other: Any) -> Pull:
        """A pull request that is there."""
        given = {"title": "t", "body": "", "author": "somebody", "draft": False}
        made = Pull(
            next(self._numbers),
            self.repositories[into.lower()],
            base,
            self.repositories[head.lower()],
            branch,
            **{**given, "maintainer_can_modify": True, **other},
        )
        self.pulls.append(made)
        return made

    def changes(self) -> list[str]:
        """The requests that changed something, GraphQL's questions and dry runs aside."""
        return [
            str(one)
            for one in self.requests
            if one.method in ("PATCH", "PUT", "DELETE")
            or (one.method == "POST" and one.path.startswith("/api/v3"))
            or (one.path.endswith("/git-receive-pack"))
        ]

    def fork(self, account: Account, repository: Repository, organization: str = "") -> Repository:
        """The fork that is there, or a new one, which git finds only after a while."""
        owner = self.accounts.get((organization or account.login).lower())
        if not account.may_fork or account.readable_only:
            raise Refusal(403, "Resource not accessible by personal access token")
        if owner is None or (organization and account.login not in owner.members):
            raise Refusal(422, f"'{organization}' is not an organization of yours")
        for one in self.repositories.values():
            if one.owner == owner.login and one.parent is repository:
                return one
        short = repository.name.partition("/")[2]
        name = f"{owner.login}/{short}"
        if name.lower() in self.repositories:
            name += "-1"
        made = self.repository(
            name, repository.path, parent=repository, writers={owner.login, *owner.members}
        )
        made.asked = -self.fork_delay
        return made

    def open(self, account: Account, into: Repository, content: Json) -> Pull:
        """A new pull request, with everything checked that GitHub checks."""

        def invalid(name: str) -> Refusal:
            wrong = {"resource": "PullRequest", "field": name, "code": "invalid"}
            return Refusal(422, "Validation Failed", [wrong])

        if not account.may_open or account.readable_only:
            raise Refusal(403, "Resource not accessible by personal access token")
        owner, _, branch = str(content["head"]).rpartition(":")
        owner = owner or into.owner
        heads = [
            one
            for one in self.repositories.values()
            if one.owner.lower() == owner.lower()
            and (one is into or one.parent is into)
            and content.get("head_repo") in (None, one.name.partition("/")[2])
            and one.tip(branch)
        ]
        if not heads or not str(content.get("title", "")).strip():
            raise invalid("head" if not heads else "title")
        head = heads[0]
        if not into.tip(content["base"]):
            raise invalid("base")
        if len(content.get("body") or "") > 65_536:
            raise Refusal(422, "body is too long (maximum is 65536 characters)")
        if into.git("rev-parse", f"refs/heads/{content['base']}") == head.tip(branch):
            message = f"No commits between {content['base']} and {owner}:{branch}"
            raise Refusal(422, "Validation Failed", [{"message": message, "code": "custom"}])
        if (
            content.get("maintainer_can_modify")
            and head is not into
            and head.owner != account.login
        ):
            message = "Fork collab can't be granted by someone without permission"
            raise Refusal(422, "Validation Failed", [{"message": message, "code": "custom"}])
        same = (head, branch, content["base"], "open")
        if same in [(one.head, one.branch, one.base, one.state) for one in self.pulls]:
            message = f"A pull request already exists for {owner}:{branch}."
            raise Refusal(422, "Validation Failed", [{"message": message, "code": "custom"}])
        return self.pull(
            into.name,
            content["base"],
            head.name,
            branch,
            title=content["title"],
            body=content.get("body") or "",
            author=account.login,
            draft=bool(content.get("draft")),
            maintainer_can_modify=bool(content.get("maintainer_can_modify")),
        )


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    hub: FakeGitHub
    context: ssl.SSLContext

    def finish_request(self, request: Any, client_address: Any) -> None:
        # In the connection's own thread: a handshake that stalls must not stop the others.
        with self.context.wrap_socket(request, server_side=True) as secure:
            self.RequestHandlerClass(secure, client_address, self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that are killed, and those that do not trust us, are expected."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes: 40 ms apart with it
    server: _Server

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""

    def serve(self) -> None:
        """Answer one request."""
        body = self._body()
        hub = self.server.hub
        parts = urlsplit(self.path)
        api = parts.path.startswith("/api/")
        account = self._account()
        content = json.loads(body) if api and body else None
        host = self.headers.get("host", "")
        login = account.login if account else ""
        request = Request(self.command, self.path, login, content, host)
        try:
            with hub.lock:
                hub.requests.append(request)
                hub.before(request)
            if not api:
                self._git(account, parts.path, parts.query, body, request)
                return
            if account is None:
                given = self.headers.get("authorization")
                raise Refusal(401, "Bad credentials" if given else "Requires authentication")
            with hub.lock:
                if parts.path == "/api/graphql":
                    status, answer = 200, graphql(hub, account, content)
                else:
                    path = unquote(parts.path.removeprefix("/api/v3").strip("/"))
                    status, answer = rest(
                        hub, account, self.command, path, parse_qs(parts.query), content
                    )
                hub.after(request)
            self._json(status, answer, account)
        except Refusal as refusal:
            self._json(refusal.status, refusal.answer, account)
        except Killed:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = serve

    def _account(self) -> Account | None:
        kind, _, given = self.headers.get("authorization", "").partition(" ")
        if kind.lower() == "basic":
            given = base64.b64decode(given).decode().partition(":")[2]
        accounts = self.server.hub.accounts.values()
        return next((one for one in accounts if one.token and one.token == given), None)

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            pieces = []
            while size := int(self.rfile.readline(), 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            body = b"".join(pieces)
        else:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
        return gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body

    def _json(self, status: int, answer: Any, account: Account | None) -> None:
        headers = {"Content-Type": "application/json; charset=utf-8"}
        if account and account.scopes is not None:
            headers["X-OAuth-Scopes"] = account.scopes
        self._answer(status, headers, json.dumps(answer).encode())

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _git(
        self, account: Account | None, path: str, query: str, body: bytes, request: Request
    ) -> None:
        """Git's smart protocol: reading is for everybody, pushing for those who may."""
        hub = self.server.hub
        found = re.fullmatch(r"/([^/]+/[^/]+?)(?:\.git)?/(info/refs|git-[a-z-]+)", path)
        repository = hub.repositories.get(found[1].lower()) if found else None
        text = {"Content-Type": "text/plain"}
        if found is None or repository is None or self._not_yet(repository):
            self._answer(404, text, b"remote: Repository not found.")
            return
        if repository.moved_to:
            self._answer(301, {"Location": repository.moved_to + path}, b"")
            return
        writes = "receive-pack" in query or "receive-pack" in found[2]
        if account is None and (writes or self.headers.get("authorization")):
            self._answer(401, {**text, "WWW-Authenticate": 'Basic realm="GitHub"'}, b"")
            return
        if writes and account:
            if account.login not in repository.writers or account.readable_only:
                denied = f"Permission to {repository.name}.git denied to {account.login}."
                self._answer(403, text, denied.encode())
                return
            hook = repository.path / "hooks" / "pre-receive"
            hook.write_text(f"#!/bin/sh\necho '{repository.protected}' >&2\nexit 1\n")
            hook.chmod(0o700 if repository.protected else 0o600)
        headers, answer = self._backend(repository, found[2], query, body)
        with hub.lock:
            hub.after(request)
        self._answer(int(headers.pop("Status", "200").split()[0]), headers, answer)

    def _not_yet(self, repository: Repository) -> bool:
        repository.asked += 1
        return repository.asked <= 0

    def _backend(
        self, repository: Repository, service: str, query: str, body: bytes
    ) -> tuple[dict[str, str], bytes]:
        """One run of git's own CGI program."""
        done = subprocess.run(
            ["git", "http-backend"],
            input=body,
            capture_output=True,
            check=True,
            env={
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(repository.path),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_CONFIG_NOSYSTEM": "1",
                "PATH_INFO": f"/{service}",
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("content-type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "REMOTE_USER": "x",
                "REMOTE_ADDR": "127.0.0.1",
                "GIT_PROTOCOL": self.headers.get("git-protocol", ""),
            },
        )
        head, _, answer = done.stdout.partition(b"\r\n\r\n")
        return dict(one.split(": ", 1) for one in head.decode().split("\r\n")), answer


def _certify(certificate: Path) -> Path:
    """Write a certificate that is its own authority, for this machine only; returns its key."""
    key = certificate.with_name("server.key")
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(
        ["openssl", "req", "-x509", "-days", "2", *new_key, *names, *files],
        check=True,
        capture_output=True,
    )
    return key
