"""Optuna's own suite for storages, whole."""

from __future__ import annotations

from optuna.testing.pytest_storages import StorageTestCase


class TestWriteBehindStorage(StorageTestCase):
    """The storage comes from the fixture of that name."""
