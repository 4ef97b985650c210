"""Why the autofix ends without a fix, as a person reads it."""

from __future__ import annotations


class AutofixError(Exception):
    """Something is in the way; ``advice`` says what to do about it.

    ``exit_code`` is that of ``ohllm-autofix``: 1 tried and not fixed, 2 refused, 4 wrong usage, 10
    this machine or a service.
    """

    exit_code = 10

    def __init__(self, problem: str, advice: str = "") -> None:
        super().__init__(problem)
        self.problem, self.advice = problem, advice


class Refused(AutofixError):
    """It must not be done: there is nothing to fix in the SDK, or the patch breaks the rules."""

    exit_code = 2


class NotFixed(AutofixError):
    """It was tried, and the failure is still there."""

    exit_code = 1


class UsageError(AutofixError):
    """What was given cannot be meant."""

    exit_code = 4
