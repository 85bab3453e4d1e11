"""What is trained: encoder, observation models and latent map, with their losses."""
