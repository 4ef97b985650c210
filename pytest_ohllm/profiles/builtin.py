"""The profiles that are always there: ``sim`` and ``sim:PERSONALITY``, the embedded provider."""

from __future__ import annotations

from pytest_ohllm.model import Profile
from pytest_ohllm.profiles.errors import ProfileError, enumerated, suggestion

SIM = "sim"
ADHOC = "adhoc"
SOURCE = "simulator"
"""``Profile.source`` of a built-in profile; whoever starts the simulator fills in ``base_url``."""

RESERVED = frozenset({SIM, ADHOC})
"""Names that cannot be saved, since they already mean something on a command line."""


def is_simulator(name: str) -> bool:
    """Whether ``name`` asks for the embedded provider."""
    return name == SIM or name.startswith(f"{SIM}:")


def simulated(name: str) -> Profile:
    """The profile for ``sim``, ``sim:PERSONALITY`` or ``sim:ONE+ANOTHER``.

    Raises ``ProfileError`` for an unknown personality.
    """
    from pytest_ohllm.simulator import personalities

    wanted = "default" if name == SIM else name.removeprefix(f"{SIM}:")
    try:
        personality = personalities.get(wanted)
    except personalities.UnknownPersonality as error:
        known = personalities.names()
        raise ProfileError(
            f"the simulator has no personality {error.name!r}{suggestion(error.name, known)}: "
            f"it has {enumerated(known, limit=100)}"
        ) from error
    settings = {"model": f"openai/sim-{personality.name}"} | dict(personality.settings)
    return Profile(name=name, settings=settings, source=SOURCE)
