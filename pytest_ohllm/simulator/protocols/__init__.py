"""The wire formats, one module each; a new one is added to ``CODECS``."""

from __future__ import annotations

from pytest_ohllm.simulator.protocols.chat import ChatCompletions
from pytest_ohllm.simulator.protocols.codec import Codec

CODECS: tuple[Codec, ...] = (ChatCompletions(),)
"""Every protocol served; the first one words the errors of paths that belong to none."""
