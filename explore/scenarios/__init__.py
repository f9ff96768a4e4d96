"""Scenarios in the manner of MLPerf Inference (Reddi et al. 2020): queries and queues before simulated accelerators."""
