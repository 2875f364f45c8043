"""Data by name or path, its splits, its preprocessing, and its way to worker processes."""

from hpsearch.data.dataset import Dataset
from hpsearch.data.load import DATASETS, load_dataset
from hpsearch.data.preprocessing import Preprocessor
from hpsearch.data.splits import DividingColumns, Division, Split, make_splits
from hpsearch.data.store import DataHandle, Fold, write_store

__all__ = [
    "DATASETS",
    "DataHandle",
    "Dataset",
    "DividingColumns",
    "Division",
    "Fold",
    "Preprocessor",
    "Split",
    "load_dataset",
    "make_splits",
    "write_store",
]
