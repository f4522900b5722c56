"""Benchmarks: ratios within one run, never a bound in a test."""
