"""Checks before learning, after CS231n's lecture 6, "Babysitting the Learning Process"."""

from __future__ import annotations

from hpsearch.checks.check import Check
from hpsearch.checks.study import check_data_and_network, check_network, learning_range

__all__ = ["Check", "check_data_and_network", "check_network", "learning_range"]
