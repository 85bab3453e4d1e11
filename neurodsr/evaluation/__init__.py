"""How good a surrogate is: measures beside floors, held-out fits, and the verdict."""
