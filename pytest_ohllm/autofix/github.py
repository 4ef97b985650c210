"""GitHub as the user's own ``gh`` sees it: the token stays with ``gh``, and this process has none.

Everything goes through ``gh api``, whose answers are JSON with a status. ``gh pr create`` and
``gh pr edit`` print prose, and the latter fails on github.com with the gh of Debian and Ubuntu: it
asks for the classic projects, which are gone.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from typing import Any

from pytest_ohllm.autofix.errors import AutofixError
from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.report.safe_text import one_line

PUBLIC_HOST = "github.com"

TOKENS = ("GH_TOKEN", "GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")
_ACCOUNT = (
    *("PATH", "HOME", "USER", "LOGNAME", "LANG", "TMPDIR", "GH_CONFIG_DIR"),
    *("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"),
    *("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"),  # newer gh keep the token in the keyring
)
_NETWORK = (
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH"),
    *("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"),
    *("ALL_PROXY", "all_proxy"),
)
_SILENT = {
    "GH_PROMPT_DISABLED": "1",
    "GH_NO_UPDATE_NOTIFIER": "1",
    "GH_SPINNER_DISABLED": "1",
    "GH_PAGER": "cat",
    "NO_COLOR": "1",
    "LC_ALL": "C.UTF-8",
}
_STATUS_LINE = re.compile(r"HTTP/[\d.]+ (\d{3})")
_NOT_LOGGED_IN = 4
_TIMEOUT = 60.0


class GitHubError(AutofixError):
    """GitHub answered with ``status``, which is not a success; ``said`` are its own words."""

    def __init__(self, host: str, status: int, said: str, advice: str = "") -> None:
        super().__init__(f"GitHub ({host}) says {status}: {said}", advice)
        self.status, self.said = status, said

    @property
    def denied(self) -> bool:
        """Whether the token may not do this; what it may not see is said to be missing."""
        return self.status in (403, 404) and "rate limit" not in self.said.lower()


def environment(host: str) -> dict[str, str]:
    """All that ``gh``, and the ``git push`` that asks it for the token, see of the environment."""
    names = (*_ACCOUNT, *_NETWORK, *TOKENS)
    return {**{name: os.environ[name] for name in names if name in os.environ}, **_SILENT} | {
        "GH_HOST": host
    }


def shown(text: str, limit: int = 300) -> str:
    """What a server or a tool wrote, as one line that can be printed: it may repeat the token."""
    known = {name: os.environ.get(name, "") for name in TOKENS}
    return one_line(Redactor(known).text(text), limit)


def gh_program() -> str:
    """The absolute path of ``gh``. Raises AutofixError where there is none."""
    if found := shutil.which("gh"):
        return os.path.abspath(found)
    raise AutofixError(
        "gh, the GitHub command line, is not installed",
        "install it (https://cli.github.com) and run `gh auth login`",
    )


class GitHub:
    """The API of one host, as the user whom ``gh`` is logged in as."""

    def __init__(self, host: str) -> None:
        self.host = host
        self._gh = gh_program()

    def get(self, path: str) -> Any:
        """The resource, as JSON. Raises GitHubError if there is none, or it may not be seen."""
        return self._call("GET", path)[1]

    def find(self, path: str) -> Any | None:
        """The same, or None if GitHub knows nothing under this path."""
        try:
            return self.get(path)
        except GitHubError as error:
            if error.status == 404:
                return None
            raise

    def send(self, method: str, path: str, content: dict[str, Any]) -> Any:
        """Change something; ``content`` goes through a pipe, not through the arguments."""
        return self._call(method, path, json.dumps(content))[1]

    def user(self) -> tuple[str, frozenset[str]]:
        """The login, and the scopes of the token: empty for kinds of tokens that have none."""
        headers, user = self._call("GET", "user")
        scopes = headers.get("x-oauth-scopes", "")
        return str(user["login"]), frozenset(filter(None, map(str.strip, scopes.split(","))))

    def login_advice(self) -> str:
        """How to give ``gh`` another token for this host."""
        variable = "GH_TOKEN" if self._is_public() else "GH_ENTERPRISE_TOKEN"
        return f"run `gh auth login --hostname {self.host}`, or set {variable}"

    def _call(
        self, method: str, path: str, content: str | None = None
    ) -> tuple[dict[str, str], Any]:
        """The headers of the answer, in lower case, and its JSON."""
        # The host is in GH_HOST: --hostname does not take one with a port.
        arguments = ["api", "--method", method, "--include", path]
        done = self._run([*arguments, *(["--input", "-"] if content is not None else [])], content)
        match = _STATUS_LINE.match(done.stdout)
        if not match:
            raise self._no_answer(done)
        head, _, body = done.stdout.partition("\n\n")
        fields = [line.partition(":") for line in head.splitlines()[1:]]
        headers = {name.strip().lower(): value.strip() for name, _, value in fields}
        status = int(match[1])
        if status == 401 and "requires authentication" in body.lower():
            raise self._no_login()
        if done.returncode or not 200 <= status < 300:
            raise self._refusal(status, body, headers)
        try:
            return headers, json.loads(body) if body.strip() else None
        except ValueError:
            raise GitHubError(self.host, status, "an answer that is no JSON") from None

    def _run(self, arguments: list[str], content: str | None) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                [self._gh, *arguments],
                input=content,
                stdin=subprocess.DEVNULL if content is None else None,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_TIMEOUT,
                cwd=os.sep,  # no repository, whose configuration gh would read
                env=environment(self.host),
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise AutofixError(
                f"GitHub ({self.host}) did not answer within {_TIMEOUT:.0f} s", "run it again later"
            ) from None

    def _no_answer(self, done: subprocess.CompletedProcess[str]) -> AutofixError:
        said = done.stderr.strip()
        if done.returncode == _NOT_LOGGED_IN or "gh auth login" in said:
            return self._no_login()
        advice = "check the network, a proxy, and https://www.githubstatus.com; then run it again"
        if "x509" in said or "certificate" in said:
            advice = "set SSL_CERT_FILE to a file with the certificate of this host's authority"
        first = said.splitlines()[0] if said else f"gh ended with {done.returncode}"
        return AutofixError(f"GitHub ({self.host}) cannot be reached: {shown(first)}", advice)

    def _no_login(self) -> AutofixError:
        return AutofixError(f"gh is not logged in to {self.host}", self.login_advice())

    def _refusal(self, status: int, body: str, headers: dict[str, str]) -> GitHubError:
        said = shown(_message(body)) or "nothing"
        advice = ""
        if status == 401:
            given = [name for name in TOKENS if os.environ.get(name)]
            source = f"the token in {' or '.join(given)}" if given else "gh's token"
            advice = f"{source} is wrong or has expired: {self.login_advice()}"
        elif "rate limit" in said.lower() or status == 429:
            advice = f"wait {headers.get('retry-after', 'some')} seconds, then run it again"
        elif "SAML" in said:
            advice = "authorize the token for the organization (single sign-on), then run it again"
        elif status >= 500:
            advice = "run it again later; see https://www.githubstatus.com"
        return GitHubError(self.host, status, said, advice)

    def _is_public(self) -> bool:
        return self.host == PUBLIC_HOST or self.host.endswith(".ghe.com")


def _message(body: str) -> str:
    """GitHub's own words: the message and what it says of each field."""
    try:
        answer = json.loads(body)
    except ValueError:
        return body
    if not isinstance(answer, dict):
        return body
    errors = answer.get("errors")
    parts = [answer.get("message"), *(errors if isinstance(errors, list) else [errors])]
    return "; ".join(filter(None, map(_words, parts)))


def _words(part: Any) -> str:
    if isinstance(part, dict):
        return str(part.get("message") or " ".join(map(str, part.values())))
    return str(part or "")
