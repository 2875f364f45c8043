"""Studies for other programs: tables, MLflow, TensorBoard, ONNX, each by its own library."""
