"""What a modality promises, one theme a file: loading, likelihood, learning, configuration, ..."""
