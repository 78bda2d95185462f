"""Measurements that the README quotes; every figure there comes out of `python -m benchmarks.run`."""
