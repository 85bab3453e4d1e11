"""What tests and demos stand on: simulated sessions whose truth is known."""
