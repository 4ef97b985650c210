"""How the vendors' keys look (as of 2026), and which words stand where a key is not needed."""

from __future__ import annotations

import re
from typing import NamedTuple


class Shape(NamedTuple):
    """A key that is recognised by its beginning."""

    label: str
    prefixes: tuple[str, ...]
    tail: re.Pattern[str]
    """What must follow the prefix. Bounded, so that hostile text costs linear time."""


def _shape(label: str, prefixes: str, tail: str) -> Shape:
    return Shape(label, tuple(prefixes.split()), re.compile(tail))


_WORD = r"[A-Za-z0-9_-]"
_ALNUM = r"[A-Za-z0-9]"
_DOTTED = r"[A-Za-z0-9_.-]"
_MIXED = r"(?=[A-Za-z_-]{0,64}[0-9])"  # a digit early on: a name in prose has none

SHAPES = (
    # Where several fit, the longest prefix names the key.
    _shape("openai-key", "sk-proj- sk-svcacct- sk-admin- sk-None-", rf"{_WORD}{{16,512}}"),
    _shape("anthropic-key", "sk-ant-", rf"{_WORD}{{16,512}}"),
    _shape("openrouter-key", "sk-or-", rf"{_WORD}{{16,256}}"),
    _shape("langfuse-key", "sk-lf-", rf"{_WORD}{{16,64}}"),
    _shape("stripe-key", "sk_live_ rk_live_ sk_test_ rk_test_", rf"{_ALNUM}{{16,256}}"),
    # OpenAI's old keys, DeepSeek, Moonshot, DashScope, and LiteLLM's virtual keys. Words joined by
    # hyphens (sk-estimator-doc-link) are none of them.
    _shape(
        "api-key",
        "sk-",
        rf"{_ALNUM}{{20,256}}{_WORD}{{0,256}}"
        rf"|(?=(?:{_WORD}{{0,32}}[0-9]){{2}})(?=(?:[a-z0-9_-]{{0,32}}[A-Z]){{3}}){_WORD}{{20,256}}"
        rf"|(?={_WORD}{{0,48}}[0-9])(?:[a-z]{{2,12}}-){{1,2}}{_ALNUM}{{16,256}}{_WORD}{{0,256}}",
    ),
    _shape("google-key", "AIza", rf"{_WORD}{{30,64}}"),
    _shape("google-key", "AQ.", rf"{_MIXED}{_WORD}{{30,256}}"),
    _shape("google-token", "ya29.", rf"{_DOTTED}{{20,2048}}{_WORD}"),
    _shape("google-token", "GOCSPX-", rf"{_WORD}{{20,64}}"),
    _shape("groq-key", "gsk_", rf"{_ALNUM}{{20,256}}"),
    _shape("xai-key", "xai-", rf"{_ALNUM}{{20,256}}"),
    _shape("together-key", "tgp_v1_", rf"{_WORD}{{20,256}}"),
    _shape("huggingface-token", "hf_ api_org_", rf"{_ALNUM}{{20,256}}"),
    _shape("perplexity-key", "pplx-", rf"{_ALNUM}{{20,256}}"),
    _shape("replicate-token", "r8_", rf"{_ALNUM}{{20,256}}"),
    _shape("fireworks-key", "fw_", rf"{_MIXED}{_ALNUM}{{20,256}}"),
    _shape("cerebras-key", "csk-", rf"{_ALNUM}{{20,256}}"),
    _shape("nvidia-key", "nvapi-", rf"{_WORD}{{20,256}}"),
    _shape("databricks-token", "dapi", r"[0-9a-f]{32}(?:-[0-9])?"),
    _shape("bedrock-key", "ABSK", r"[A-Za-z0-9+/]{80,512}={0,2}"),
    _shape("bedrock-key", "bedrock-api-key-", r"[A-Za-z0-9+/]{40,4096}={0,2}"),
    _shape("aws-key-id", "AKIA ASIA ABIA ACCA", rf"[A-Z0-9]{{16}}(?!{_ALNUM})"),
    _shape("github-token", "ghp_ gho_ ghu_ ghr_", rf"{_ALNUM}{{20,256}}"),
    _shape("github-token", "ghs_", rf"{_DOTTED}{{20,2048}}{_WORD}"),
    _shape("github-token", "github_pat_", r"[A-Za-z0-9_]{22,256}"),
    _shape(
        "gitlab-token",
        "glpat- gloas- gldt- glrt- glptt- glft- glimt- glagent- glcbt- glsoat-",
        rf"{_DOTTED}{{19,512}}{_WORD}",
    ),
    _shape(
        "slack-token",
        "xoxa- xoxb- xoxe- xoxe. xoxo- xoxp- xoxr- xoxs- xapp-",
        rf"{_DOTTED}{{10,256}}{_WORD}",
    ),
    _shape("npm-token", "npm_", rf"{_ALNUM}{{30,64}}"),
    _shape("pypi-token", "pypi-", rf"{_WORD}{{40,2048}}"),
    _shape("digitalocean-token", "dop_v1_ doo_v1_ sk-do-", r"[A-Za-z0-9_-]{32,128}"),
    _shape("vault-token", "hvs. hvb.", rf"{_WORD}{{20,256}}"),
    _shape("langsmith-key", "lsv2_pt_ lsv2_sk_", r"[A-Za-z0-9_]{20,128}"),
    _shape("tavily-key", "tvly-", rf"{_WORD}{{20,128}}"),
    _shape("vercel-key", "vck_", rf"{_ALNUM}{{20,128}}"),
    _shape("docker-token", "dckr_pat_ dckr_oat_", rf"{_WORD}{{20,128}}"),
    _shape(
        "jwt",
        "eyJ",
        rf"{_WORD}{{8,512}}\.{_WORD}{{8,8192}}\.{_WORD}{{0,4096}}(?:\.{_WORD}{{0,8192}}){{0,2}}",
    ),
)

_PUBLIC_PREFIX = re.compile(
    r"sk-(?:ant-(?:[a-z]{2,8}[0-9]{2}-)?|or-(?:v[0-9]-)?|proj-|svcacct-|admin-|lf-)?"
    r"|" + "|".join(re.escape(prefix) for shape in SHAPES for prefix in shape.prefixes)
)


def public_prefix(key: str) -> str:
    """What `key` has in common with every other key of its vendor, perhaps nothing."""
    match = _PUBLIC_PREFIX.match(key)
    return match[0] if match else ""


PLACEHOLDERS = frozenset(
    """
    anthropic any anything apikey api-key api_key aws4-hmac-sha256 azure bearer changeme default
    dummy dummy-key empty example fake fake-key false gemini invalid key litellm lm-studio lmstudio
    local missing mock my-key no-key no_key nokey none not-needed not-set not_needed null ollama
    openai openhands openrouter optional password placeholder random required secret sk-1234
    string test test-key test_key testing token true undefined unset unused value xxx your-key
    """.split()  # noqa: SIM905 - words, one per line, would fill the screen
)
"""Values that people type where a local endpoint wants any key, and words that are no value."""
