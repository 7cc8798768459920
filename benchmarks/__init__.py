"""Commands that print measured figures: `python -m benchmarks.bench_toolstream` and others."""
