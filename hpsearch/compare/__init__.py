"""Comparing searches: what a statistician asks of the trials, as pure functions of numbers."""
