"""Keys that nobody told us about are known by their shape or by the place where they stand."""

from __future__ import annotations

import html
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_ohllm.evidence.key_shapes import SHAPES, public_prefix
from pytest_ohllm.evidence.redaction import Redactor

HEX = "fa4e0123456789abcdeffa4e01234567"
MIXED = "FAKEfakeFAKE0123fakeFAKEfake4567FAKEfake"
JWT = "eyJhbGciOiJmYWtlIn0.eyJzdWIiOiJmYWtlIn0.ZmFrZS1zaWduYXR1cmU"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nRkFLRQ==\nFAKE\n-----END RSA PRIVATE KEY-----"

KEYS = {
    f"sk-{MIXED}ab": "api-key",
    f"sk-{HEX}": "api-key",
    "sk-FAKE_fake-0123456789-Ab": "api-key",
    "sk-FAKEfakeFAKEfakeFAKEfake": "api-key",
    f"sk-oh-{HEX}": "api-key",
    f"sk-proj-{MIXED}-_{MIXED}": "openai-key",
    f"sk-svcacct-{MIXED}": "openai-key",
    f"sk-admin-{MIXED}": "openai-key",
    f"sk-ant-api03-{MIXED}-{MIXED}-AA": "anthropic-key",
    f"sk-ant-oat01-{MIXED}": "anthropic-key",
    f"sk-ant-admin01-{MIXED}": "anthropic-key",
    f"sk-or-v1-{HEX}{HEX}": "openrouter-key",
    f"AIza{MIXED[:35]}": "google-key",
    f"AQ.Ab8{MIXED}": "google-key",
    f"ya29.{MIXED}": "google-token",
    f"gsk_{MIXED}": "groq-key",
    f"xai-{MIXED}": "xai-key",
    f"hf_{MIXED[:34]}": "huggingface-token",
    f"pplx-{MIXED}": "perplexity-key",
    f"r8_{MIXED[:37]}": "replicate-token",
    f"fw_{MIXED[:24]}": "fireworks-key",
    f"csk-{MIXED}": "cerebras-key",
    f"nvapi-{MIXED}_-": "nvidia-key",
    f"tgp_v1_{MIXED}": "together-key",
    f"dapi{HEX}": "databricks-token",
    f"ABSK{MIXED * 3}=": "bedrock-key",
    "AKIAFAKEFAKEFAKE0123": "aws-key-id",
    "ASIAFAKEFAKEFAKE0123": "aws-key-id",
    f"ghp_{MIXED[:36]}": "github-token",
    f"gho_{MIXED[:36]}": "github-token",
    f"ghu_{MIXED[:36]}": "github-token",
    f"ghr_{MIXED[:36]}": "github-token",
    f"ghs_{MIXED[:36]}": "github-token",
    f"ghs_123456_{JWT}": "github-token",
    f"github_pat_{MIXED[:22]}_{MIXED}": "github-token",
    f"glpat-{MIXED[:20]}": "gitlab-token",
    f"glpat-{MIXED}.01.0fake0123": "gitlab-token",
    "xoxb-0123456789-0123456789-FAKEfakeFAKE": "slack-token",
    f"npm_{MIXED[:36]}": "npm-token",
    f"pypi-AgEIcHlwaS5vcmc{MIXED}{MIXED}": "pypi-token",
    "sk-lf-fa4e0123-4567-89ab-cdef-fa4e01234567": "langfuse-key",
    JWT: "jwt",
    PEM: "private-key",
    PEM.replace("\n", "\\n"): "private-key",
}


@pytest.mark.parametrize("key", KEYS)
def test_a_vendors_key_is_known_by_its_shape(key: str) -> None:
    redactor = Redactor()
    for text in (f"a {key} b", f'"{key}"', f"x={key}&", f"\\n{key}\\n", f"%3D{key}", f"<{key}>"):
        redacted = redactor.text(text)
        assert redacted == text.replace(key, f"[REDACTED:{KEYS[key]}]")
        assert redactor.text(redacted) == redacted
    assert redactor.contains(f"a {key} b") == [KEYS[key]]


def test_every_shape_has_an_example() -> None:
    named = set(KEYS.values())
    unproven = {shape.label for shape in SHAPES} - named
    assert unproven == {
        "digitalocean-token",
        "docker-token",
        "langsmith-key",
        "stripe-key",
        "tavily-key",
        "vault-token",
        "vercel-key",
    }


@pytest.mark.parametrize("key", [key for key in KEYS if not key.startswith(("eyJ", "---"))])
def test_the_beginning_that_keys_share_is_not_secret(key: str) -> None:
    prefix = public_prefix(key)
    assert 2 < len(prefix) < 16
    if len(prefix) < 12:  # so many characters of a known key are too many, whatever they say
        text = f"keys start with {prefix}..."
        assert Redactor({"it": key}).text(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer «abc»",
        "authorization: Basic «dXNlcjpwYXNz»",
        "Authorization: Token «abc»",
        "Proxy-Authorization: Basic «dXNlcjpwYXNz»\r\nHost: x",
        "-H 'Authorization: Bearer «fake-token»'",
        "{'authorization': 'Bearer «fake-token»', 'b': 1}",
        "[(b'authorization', b'Bearer «fake-token»')]",
        "Headers([('Authorization', 'Bearer «abc»')])",
        f"sent Bearer «{HEX}» to it",
        f"x-api-key: «{HEX}»",
        f"api-key: «{HEX}»\n",
        f"x-goog-api-key: «{HEX}»",
        f"Ocp-Apim-Subscription-Key: «{HEX}»",
        f'{{"api_key": "«{HEX}»", "n": 1}}',
        '{"apiKey": "«fake0123»"}',
        "OpenAI(api_key='«fake-0123»', base_url=None)",
        f"MISTRAL_API_KEY=«{HEX}»",
        f"export DEEPSEEK_API_KEY='«{HEX}»'",
        f"mykey: api_key=«{HEX}», other=1",
        "password=«hunter2»",
        '"password": "«hunter2»"',
        "<password>«hunter22»</password>",
        "aws_secret_access_key = «FAKEfake/FAKE+fake0123FAKEfake/FAKE+fake01»",
        '"secretAccessKey":"«FAKEfake/FAKE+fake0123»"',
        "client_secret=«fake~0123_abc»",
        "access_token=«fake0123fake0123»&expires_in=3600",
        '"refresh_token": "«fake0123»"',
        "HF_TOKEN=«fake0123fake»",
        "--api-key «fake0123»",
        "--openai-api-key=«fake0123»",
        "['run', '--api-key', '«fake0123»']",
        f"POST https://host.invalid/v1beta/models/m:generateContent?key=«{MIXED}» HTTP",
        "GET /x?alt=sse&key=«fake0123»&n=1",
        "https://host.invalid/?a=1&amp;token=«fake0123»",
        "blob?sv=2026&sig=«fake%2B0123%3D»",
        "blob?sv=2026&sig=«%2Bfake0123%3D»",
        f"key=«{MIXED}»",
    ],
)
@pytest.mark.parametrize("wrap", [str, json.dumps, html.escape, lambda text: f"[{text}]"])
def test_a_credential_is_known_by_its_place(text: str, wrap: type[str]) -> None:
    secret = re.search("«(.*)»", text)
    assert secret
    redactor = Redactor()
    redacted = redactor.text(wrap(text.replace("«", "").replace("»", "")))
    assert redacted == wrap(re.sub("«.*»", "[REDACTED:credential]", text))
    assert redactor.text(redacted) == redacted
    assert redactor.contains(redacted) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Authorization: AWS4-HMAC-SHA256 Credential=x/y, Signature=fa4e\nHost: x",
            "Authorization: AWS4-HMAC-SHA256 [REDACTED:credential]\nHost: x",
        ),
        ("Cookie: sid=fake; b=2\r\nHost: x", "Cookie: [REDACTED:cookie]\r\nHost: x"),
        ("'set-cookie': 'sid=fake; Path=/'", "'set-cookie': '[REDACTED:cookie]'"),
        ("(b'Set-Cookie', b'a=b; Path=/')", "(b'Set-Cookie', b'[REDACTED:cookie]')"),
        ("https://me:pa55w0rd@host.invalid/x", "https://[REDACTED:url-credentials]@host.invalid/x"),
        ("redis://:pa55w0rd@host:6379", "redis://[REDACTED:url-credentials]@host:6379"),
        (f"https://{HEX}@host.invalid", "https://[REDACTED:url-credentials]@host.invalid"),
    ],
)
def test_cookies_and_users_of_urls_go(text: str, expected: str) -> None:
    assert Redactor().text(text) == expected
    assert Redactor().text(expected) == expected


def test_a_private_key_that_does_not_end_goes_up_to_its_last_line() -> None:
    text = "-----BEGIN PRIVATE KEY-----\nRkFLRUZBS0VGQUtF\nRkFLRUZBS0VGQUtF\nand then prose"
    assert Redactor().text(text) == "[REDACTED:private-key]\nand then prose"


OTHERS = {"a": "sk-proj-Zq7_ZqZq-7ZqZqZq7ZqZqZq", "b": "7z7z7z7z7z7z7z7z-z7z7z7z7z7z7z7z"}
ORDINARY = r"""
tests/test_a.py::test_stage_c[openai/gpt-5-mini] PASSED                              [ 10%]
E       AssertionError: assert 'TOOL_OK' in 'task-list is risk-free, ask-me-anything'
E         + where True = isinstance(PosixPath('/tmp/x'), Path)
litellm.exceptions.AuthenticationError: AuthenticationError: OpenAIException - Error code: 401 -
{'error': {'message': 'Incorrect API key provided: sk-AUTOF***cdef. You can find your API key at
https://platform.openai.com/account/api-keys.', 'type': 'invalid_request_error', 'param': None,
'code': 'invalid_api_key'}}
    client = OpenAI(api_key=api_key, base_url=self.base_url, max_retries=0)
    self.api_key = api_key or os.environ.get("OPENAI_API_KEY")
    headers["Authorization"] = f"Bearer {self.api_key}"
    api_key: str | None = None, api_key: SecretStr, secret: bool = False
    access_token = await self.get_access_token(scopes)
LLM(model='openai/x', api_key=SecretStr('**********'), max_tokens=4096, api_key_env='MY_KEY')
api_key=None secret: null password must be 8 characters; password: required; "token": "Hello1"
{"usage": {"prompt_tokens": 17, "completion_tokens": 4, "total_tokens": 21}, "tokens": 123}
{"api_key": null, "secret": "", "api_key": "", "authorization": "required", "key": "value1"}
{"id": "chatcmpl-FAKE0123456789abcdefFAKE", "system_fingerprint": "fp_0123456789", "seed": 7}
{"tool_calls": [{"id": "call_FAKEfake0123456789abcdef", "type": "function"}], "logprobs": null}
token_count=3 max_tokens=4096 stop_token="<|im_end|>" pad_token_id=50256 next_token: 12
commit 0123456789abcdef0123456789abcdef01234567 (HEAD -> main), tag v1.2.3-4-gfa4e012
cache key=0123456789abcdef0123456789abcdef01234567 hit; sorted(items, key=lambda x: x[1])
request id 01234567-89ab-cdef-0123-456789abcdef, trace-id: 0af7651916cd43dd8448eb211c80319c
<div class="sk-estimator-doc-link fitted"> <li id="sk-container-id-1"> sk-learn-contrib sk-
data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9
see https://docs.pytest.org/en/stable/how-to/capture-warnings.html?highlight=key&page=2#auth
git clone ssh://git@github.com/a/b.git and http://127.0.0.1:8080/v1 and http://[::1]:8080/v1
Authorization header is missing. The Authorization: Bearer <token> header, or Bearer $TOKEN
WWW-Authenticate: Bearer realm="x", error="invalid_token"; use Bearer token authentication
Basic authentication is off, the basic python3 usage is shown; cookies: none; Cookie consent
gAAAAABfakefakefake_0123-fakefakefakefakefakefakefakefakefakefakefakefake== is a Fernet token
with -e KEY=VALUE and ?key=value&sort_key=name&page_token=none; monkey=banana0123456789012345
-----BEGIN CERTIFICATE----- and -----BEGIN PUBLIC KEY----- are public
ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFAKEfakeFAKEfakeFAKEfakeFAKEfake user@host
AQ.short FAQ.AbcdefghijklmnopqrstuvwxyzABCDEFGH hf_hub_download pplx-api npm_config_registry
response.headers: {'content-type': 'application/json', 'x-request-id': 'req_0123456789abcdef'}
http error 500 ... retrying in 0.5s *** wait ... (key ...) [REDACTED] [REDACTED:api_key] <redacted>
""".strip()


@pytest.mark.parametrize("line", ORDINARY.splitlines())
def test_ordinary_text_is_left_alone(line: str) -> None:
    known = {**OTHERS, "short": "test", "none": ""}
    for text in (line, json.dumps(line), html.escape(line), repr(line)):
        assert Redactor(known).text(text) == text
    assert Redactor(known).value({"log": line, "lines": [line]}) == {"log": line, "lines": [line]}


def test_ordinary_text_passes_through_a_stream_unchanged() -> None:
    stream = Redactor(OTHERS).stream()
    text = (ORDINARY + "\n") * 5
    assert "".join(map(stream.feed, re.findall("(?s).{1,37}", text))) + stream.close() == text


PARTS = [
    *("api_key", '"', "'", "=", ": ", ", ", " ", "\n", "\\", "Bearer ", "Authorization", "?key="),
    *("Cookie: ", "a=b", "://", "@", "&", "%2", "&quot;", "sk-", "sk-ant-", "fake0123", HEX, JWT),
    *("[REDACTED:credential]", "[REDACTED:it]", "...", "***", "\x1b[31m", "password", "--", ">"),
    *("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "AKIAFAKEFAKEFAKE0123", "\0"),
    *(MIXED, MIXED[:20], MIXED[9:], MIXED[:5], "hunter2", "é", "{", ")", "https://u:p4ss@h/"),
]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(PARTS), max_size=14).map("".join))
def test_redacting_twice_changes_nothing(text: str) -> None:
    redactor = Redactor({"it": MIXED, "short": "hunter2"})
    once = redactor.text(text)
    assert redactor.text(once) == once
    assert redactor.contains(once) == []
