"""The rows of `benchmarks/engine.py`, one file for each thing that is measured."""
