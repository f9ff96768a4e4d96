"""`python -m benchmarks`: all benchmarks, one after another."""

from __future__ import annotations

from benchmarks import bench_batched, bench_fhe, bench_lut, bench_rinc, bench_simulator, bench_sparse, bench_transformer

if __name__ == "__main__":
    bench_simulator.main()
    bench_transformer.main()
    bench_sparse.main()
    bench_rinc.main()
    bench_lut.main()
    bench_fhe.main()
    bench_batched.main()
