"""Training: the observation stage, the dynamics stage, and the ensemble over both."""
