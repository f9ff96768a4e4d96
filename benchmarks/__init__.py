"""Speed, measured, beside a peer where it installs: `python -m benchmarks`."""
