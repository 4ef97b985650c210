"""Thoughts that travel through the client: sealed on the way out, checked on the way back.

Providers sign or encrypt reasoning so that it can be sent back but not changed. Here the seal is
the text itself behind a checksum: a client that lost or changed anything is found out.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

_MARK = b"sim1"


def seal(text: str) -> str:
    """``text`` in a form that ``unseal`` reads, and that says nothing to a person."""
    data = text.encode("utf-8", "surrogatepass")
    return base64.b64encode(_MARK + _checksum(data) + data).decode()


def unseal(sealed: str) -> str | None:
    """The text in ``sealed``; ``None`` if this provider did not make it, or if it was changed."""
    try:
        data = base64.b64decode(sealed, validate=True)
    except (binascii.Error, ValueError):
        return None
    mark, checksum, text = data[:4], data[4:12], data[12:]
    if mark != _MARK or checksum != _checksum(text):
        return None
    return text.decode("utf-8", "surrogatepass")


def _checksum(data: bytes) -> bytes:
    return hashlib.sha256(b"pytest-ohllm simulator" + data).digest()[:8]
