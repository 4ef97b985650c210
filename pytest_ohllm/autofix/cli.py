"""``ohllm-autofix``: a placeholder that says so."""

from __future__ import annotations

import sys


def main() -> None:
    """Say in one line that there is nothing here yet, and exit with 2."""
    print(
        "ohllm-autofix: not built yet in this version: nothing was read, changed or sent",
        file=sys.stderr,
    )
    sys.exit(2)
