"""Probability distributions that observation models need and torch lacks, one a file."""
