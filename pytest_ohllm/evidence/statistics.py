"""Exact tests for the few attempts that a check has: no approximation holds for them."""

from __future__ import annotations

from math import comb, log, sqrt

SIGNIFICANT = 0.05
_GOOD, _BAD = 0.95, 0.5
_SLACK = 1e-9  # two tables that are equally likely must not differ by rounding


def fisher(passed_a: int, of_a: int, passed_b: int, of_b: int) -> float:
    """How likely a difference as great as this one is if both pass equally often (two-sided)."""
    passed, total = passed_a + passed_b, of_a + of_b
    if not (0 <= passed_a <= of_a and 0 <= passed_b <= of_b):
        raise ValueError(f"expected k of n twice, got {passed_a}/{of_a} and {passed_b}/{of_b}")
    ways = comb(total, passed)
    least, most = max(0, passed - of_b), min(of_a, passed)
    chances = {k: comb(of_a, k) * comb(of_b, passed - k) / ways for k in range(least, most + 1)}
    seen = chances[passed_a]
    return min(1.0, sum(chance for chance in chances.values() if chance <= seen * (1 + _SLACK)))


def sign_test(one_way: int, other_way: int) -> float:
    """How likely so one-sided a split is if both ways are equally likely (McNemar's exact test)."""
    total = one_way + other_way
    tail = sum(comb(total, k) for k in range(min(one_way, other_way) + 1))
    return min(1.0, float(2 * tail / 2**total))


def wilson(passed: int, of: int) -> tuple[float, float]:
    """Between which rates the true one lies, with 95 % confidence; (0, 1) without an attempt."""
    if of == 0:
        return 0.0, 1.0
    z = 1.959964
    rate = passed / of
    middle = rate + z * z / (2 * of)
    spread = z * sqrt(rate * (1 - rate) / of + z * z / (4 * of * of))
    scale = 1 + z * z / of
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def settled(passed: int, failed: int) -> bool:
    """Whether so many attempts tell a model that nearly always passes from one of half-luck.

    Wald's sequential test of a rate of 0.95 against 0.5, wrong in one case of twenty either way: it
    ends after 5 passes without a failure, and after 2 failures with fewer than 3 passes.
    """
    told = passed * log(_GOOD / _BAD) + failed * log((1 - _GOOD) / (1 - _BAD))
    return abs(told) >= log((1 - SIGNIFICANT) / SIGNIFICANT)
