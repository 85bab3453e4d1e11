"""The temporal parts that slow sensors are made of: causal kernels, and how they are undone."""
