"""Kinds of recorded streams: how each is read, encoded, and predicted from latents."""
