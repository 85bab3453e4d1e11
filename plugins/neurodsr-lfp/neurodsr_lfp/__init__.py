"""neurodsr-lfp: power of field potentials as a kind of stream for neurodsr."""
