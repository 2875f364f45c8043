"""A model as an ONNX graph: columns in as they are read, labels or values out.

All that `Model` does to the columns is in the graph: imputation, indicators, numbers that stand for
categories, curves, scales and axes, in float64 as there; the network in float32; the mean over the
members, the decision threshold, and the units of a quantity.

ONNX is the Open Neural Network Exchange, https://onnx.ai; the operators are those of opset 17.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hpsearch.data.preprocessing import FARTHEST, Preprocessor
from hpsearch.errors import RunError
from hpsearch.export.needed import needed
from hpsearch.nn import Network
from hpsearch.nn.activations import LeakyReLU
from hpsearch.nn.layers import VARIANCE_FLOOR, LayerViews
from hpsearch.training.model import Member, Model
from hpsearch.writing import json_text

__all__ = ["INPUT", "to_onnx"]

OPSET, IR_VERSION = 17, 8
"""Of 2022: what reads ONNX at all reads these."""

INPUT, LABEL, PROBABILITIES, VALUE = "columns", "label", "probabilities", "value"
"""The names of the graph's input and of its outputs."""

SAME = {"relu": "Relu", "elu": "Elu", "tanh": "Tanh", "sigmoid": "Sigmoid"}
"""Activations that ONNX has without any setting."""

LARGEST = (1 << 31) - (1 << 20)
"""Bytes of arrays that a graph may hold: ONNX's files end at two gigabytes."""


def to_onnx(model: Model) -> bytes:
    """The content of an ONNX file that predicts as a model does.

    Its input ``columns`` is a float32 matrix (n, d) of the model's columns, in the order of
    ``feature_names`` in the file's metadata: categories as their index in ``categories`` there, NaN
    for what is missing or unknown. Of classes its outputs are ``label`` (n,) and ``probabilities``
    (n, classes), of a quantity ``value`` (n, 1) in the target's own units, float64.

    Args:
        model: of networks.

    Raises:
        RunError: boosted trees are among its members, or it is too large.
        UsageError: the package onnx is not installed.
    """
    if model.fitted and model.members:
        raise RunError(
            "boosted trees are among the model's members, and only networks can be written as "
            "ONNX; make the ensemble without --boosting"
        )
    if model.fitted:
        raise RunError(
            "only networks can be written as ONNX, and the model is an estimator; skl2onnx writes "
            "those of scikit-learn"
        )
    onnx = needed("onnx")
    graph = _Graph()
    answers = [_member(graph, member, network) for member, network in model.networks]
    together = graph.node("Sum", *answers) if len(answers) > 1 else answers[0]
    count = graph.constant(np.asarray(len(answers), np.float32 if model.classes else np.float64))
    outputs = _outputs(graph, model, graph.node("Div", together, count))
    if graph.bytes > LARGEST:
        raise RunError(f"the model has {graph.bytes:,} bytes, and an ONNX file at most 2 GiB")
    made = onnx.helper.make_model(
        onnx.helper.make_graph(
            graph.nodes,
            "hpsearch",
            [
                onnx.helper.make_tensor_value_info(
                    INPUT, onnx.TensorProto.FLOAT, ["rows", len(model.feature_names)]
                )
            ],
            outputs,
            initializer=graph.constants,
        ),
        producer_name="hpsearch",
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.helper.set_model_props(made, _metadata(model))
    onnx.checker.check_model(made)
    content: bytes = made.SerializeToString()
    return content


def _metadata(model: Model) -> dict[str, str]:
    """What the input means, as texts of JSON."""
    categories = {model.feature_names[j]: names for j, names in model.categories.items()}
    about = {
        "feature_names": model.feature_names,
        "categories": categories,
        "classes": model.classes,
        "dates": model.dates,
        "decimal_comma": model.decimal_comma,
        "origin": model.origin,
    }
    return {name: json_text(value) for name, value in about.items()}


def _outputs(graph: _Graph, model: Model, answers: str) -> list[Any]:
    """The outputs of the whole, made of the mean over the members."""
    import onnx

    info = onnx.helper.make_tensor_value_info
    if not model.classes:
        graph.node("Identity", answers, output=VALUE)
        return [info(VALUE, onnx.TensorProto.DOUBLE, ["rows", 1])]
    graph.node("Identity", answers, output=PROBABILITIES)
    if model.threshold is None:
        codes = graph.node("ArgMax", answers, axis=1, keepdims=0)
    else:
        positive, least = model.threshold
        chance = graph.node("Gather", answers, graph.constant(np.asarray(positive)), axis=1)
        reached = graph.node("GreaterOrEqual", chance, graph.constant(np.float32(least)))
        of = (graph.constant(np.asarray(code)) for code in (positive, 1 - positive))
        codes = graph.node("Where", reached, *of)
    labels = np.asarray(model.classes)
    numbers = labels.dtype.kind == "i"
    graph.node("Gather", graph.constant(labels), codes, axis=0, output=LABEL)
    kind = onnx.TensorProto.INT64 if numbers else onnx.TensorProto.STRING
    return [
        info(LABEL, kind, ["rows"]),
        info(PROBABILITIES, onnx.TensorProto.FLOAT, ["rows", len(model.classes)]),
    ]


def _member(graph: _Graph, member: Member, network: Network) -> str:
    """A network's probabilities (n, classes), or its values in the target's units (n, 1)."""
    at = _prepared(graph, member.preprocessor)
    *hidden, top = network.layers
    for layer, width in zip(hidden, member.network.hidden_layer_sizes, strict=True):
        at = _dense(graph, at, layer)
        if member.network.batch_norm:
            affine = (*layer.affine, *layer.running)
            arrays = map(graph.constant, affine)
            at = graph.node("BatchNormalization", at, *arrays, epsilon=VARIANCE_FLOOR)
        at = _activated(graph, member.network.activation, at, layer, width)
    at = _dense(graph, at, top)
    if member.scale is None:
        return graph.node("Softmax", at, axis=1)
    deviation, mean = (
        graph.constant(np.float64(x)) for x in (member.scale.deviation, member.scale.mean)
    )
    return graph.node("Add", graph.node("Mul", graph.double(at), deviation), mean)


def _dense(graph: _Graph, at: str, layer: LayerViews) -> str:
    return graph.node("Gemm", at, graph.constant(layer.weights), graph.constant(layer.bias))


def _activated(graph: _Graph, name: str, at: str, layer: LayerViews, width: int) -> str:
    """One of `hpsearch.nn.activations.ACTIVATIONS`."""
    match name:
        case "leaky-relu":
            return graph.node("LeakyRelu", at, alpha=LeakyReLU.negative_slope)
        case "prelu":
            return graph.node("PRelu", at, graph.constant(layer.slope))
        case "maxout":  # piece j of unit i is number j * width + i
            pieces = graph.node("Reshape", at, graph.constant(np.array([0, -1, width])))
            return graph.node("ReduceMax", pieces, axes=[1], keepdims=0)
    return graph.node(
        {"relu": "Relu", "elu": "Elu", "tanh": "Tanh", "sigmoid": "Sigmoid"}[name], at
    )


def _prepared(graph: _Graph, fitted: Preprocessor) -> str:
    """What `Preprocessor.transform` makes of the columns, step by step as there."""
    constant, node = graph.constant, graph.node
    missing = node("IsNaN", INPUT)
    at = graph.double(node("Where", missing, constant(fitted.impute[None]), INPUT))
    at = node("Gather", at, constant(fitted.source), axis=1)
    indicators = ~np.isnan(fitted.code)
    if indicators.any():
        equal = graph.double(node("Equal", at, constant(fitted.code[None].astype(np.float64))))
        at = node("Where", constant(indicators[None]), equal, at)
    curved = np.flatnonzero(np.diff(fitted.start))
    if len(curved):
        place = np.arange(len(fitted.source))
        place[curved] = len(place) + np.arange(len(curved))
        at = node("Concat", at, _bent(graph, at, fitted, curved), axis=1)
        at = node("Gather", at, constant(place), axis=1)
    if fitted.kind != "none":
        at = node("Sub", at, constant(fitted.mean[None]))
        at = node("Div", at, constant(fitted.scale[None]))
    if fitted.kind == "robust":
        numbers = np.isin(np.arange(len(fitted.source)), fitted.numbers)[None]
        far = node("Div", at, constant(np.float64(FARTHEST)))
        size = node("Sqrt", node("Add", node("Mul", far, far), constant(np.float64(1))))
        at = node("Where", constant(numbers), node("Div", at, size), at)
    if fitted.components is not None:
        at = node("MatMul", at, constant(fitted.components))
    return graph.single(at)


def _bent(graph: _Graph, at: str, fitted: Preprocessor, curved: np.ndarray) -> str:
    """The height of each column's curve, (n, curves), as `numpy.interp` has it.

    All curves are searched at once, by halves: each has a row of a table, as wide as the power of
    two that the longest needs, that ends in infinities.
    """
    constant, node = graph.constant, graph.node
    curves = [slice(fitted.start[c], fitted.start[c + 1]) for c in curved]
    bits = int(max(np.diff(fitted.start)) - 1).bit_length()
    table = np.full((len(curves), 1 << bits), np.inf)
    height, slope = np.zeros_like(table), np.zeros_like(table)
    for row, points in enumerate(curves):
        along, up = fitted.at[points], fitted.to[points]
        table[row, : len(along)], height[row, : len(along)] = along, up
        slope[row, : len(along) - 1] = np.diff(up) / np.diff(along)
    least, most = fitted.at[[[p.start for p in curves]]], fitted.at[[[p.stop - 1 for p in curves]]]
    x = node("Gather", at, constant(curved), axis=1)
    x = node("Min", node("Max", x, constant(least)), constant(most))
    flat = constant(table.reshape(-1))
    found = constant((np.arange(len(curves)) << bits)[None])
    for bit in reversed(range(bits)):
        further = node("Add", found, constant(np.asarray(1 << bit)))
        passed = node("GreaterOrEqual", x, node("Gather", flat, further, axis=0))
        found = node("Where", passed, further, found)
    low, to, rise = (
        node("Gather", array, found, axis=0)
        for array in (flat, constant(height.reshape(-1)), constant(slope.reshape(-1)))
    )
    return node("Add", node("Mul", node("Sub", x, low), rise), to)


@dataclass
class _Graph:
    """A graph that grows: nodes in their order, and the arrays that they read.

    Attributes:
        nodes: each an operator, with the names of what it reads and writes.
        constants: the arrays, named.
        bytes: their size.
    """

    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)
    bytes: int = 0

    def node(self, operator: str, *inputs: str, output: str | None = None, **settings: Any) -> str:
        """Append a node; gives the name of its output."""
        import onnx

        name = output or f"{operator}_{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(operator, list(inputs), [name], **settings))
        return name

    def constant(self, array: Any) -> str:
        """Append an array; gives its name."""
        import onnx

        array = np.ascontiguousarray(array) if np.ndim(array) else np.asarray(array)
        name = f"array_{len(self.constants)}"
        self.bytes += array.nbytes
        self.constants.append(onnx.numpy_helper.from_array(array.astype(_kind(array)), name))
        return name

    def double(self, at: str) -> str:
        """The same in float64."""
        return self._cast(at, "DOUBLE")

    def single(self, at: str) -> str:
        """The same in float32."""
        return self._cast(at, "FLOAT")

    def _cast(self, at: str, kind: str) -> str:
        import onnx

        return self.node("Cast", at, to=getattr(onnx.TensorProto, kind))


def _kind(array: np.ndarray) -> Any:
    """What ONNX has an array as: its texts are objects of NumPy, its whole numbers int64."""
    return {"U": object, "i": np.int64}.get(array.dtype.kind, array.dtype)
