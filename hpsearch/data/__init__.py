"""Data by name or path, its splits, its preprocessing, and its way to worker processes."""

from hpsearch.data.dataset import Dataset
from hpsearch.data.preprocessing import Preprocessor
from hpsearch.data.splits import Split, make_splits
from hpsearch.data.store import DataHandle, Fold, open_store, write_store

__all__ = [
    "DataHandle",
    "Dataset",
    "Fold",
    "Preprocessor",
    "Split",
    "make_splits",
    "open_store",
    "write_store",
]
