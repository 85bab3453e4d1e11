"""The one clock, streams, channels, and the recording that holds them, in memory and on disk."""
