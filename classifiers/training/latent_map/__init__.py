"""The two-dimensional map of the autoencoder's latent space: fitted so that neighbours stay neighbours, and aligned."""
