"""Quantized transformer encoders: from a float ONNX model to a QDQ model with a width of its own for each edge."""
