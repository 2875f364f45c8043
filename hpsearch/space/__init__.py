"""Search spaces: parameters, each with its values and their scale, and which exist together."""

from hpsearch.space.parameter import Categorical, Float, Int, Parameter, Value, own_value
from hpsearch.space.space import Condition, Space

__all__ = ["Categorical", "Condition", "Float", "Int", "Parameter", "Space", "Value", "own_value"]
