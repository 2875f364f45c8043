"""optuna-dashboard on a store, behind a guard."""

from hpsearch.dashboard.guard import Guard, guard_for
from hpsearch.dashboard.server import open_server

__all__ = ["Guard", "guard_for", "open_server"]
