"""Every setting that a study may fix or search, by its name in a study file."""

from hpsearch.data.preprocessing import PREPROCESSING, VARIANCE
from hpsearch.nn.config import NETWORK_AND_TRAINING
from hpsearch.setting import Setting

__all__ = ["SETTINGS"]

SETTINGS: dict[str, Setting] = {
    "preprocessing": PREPROCESSING,
    "variance": VARIANCE,
    **NETWORK_AND_TRAINING,
}
