"""Atomic files and folders, locks, checksums: what stands on the disk is whole, or is not there."""
