"""Any network that others exported to ONNX, fused without code."""
