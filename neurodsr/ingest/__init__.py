"""From a file to an aligned, masked recording: look at it, propose a run, load it."""
