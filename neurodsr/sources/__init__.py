"""Recordings on disk, opened safely and read as events, series and intervals."""
