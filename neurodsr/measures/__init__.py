"""Invariant measures of trajectories and maps: arrays and tensors in, plain numbers out."""
