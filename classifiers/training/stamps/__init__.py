"""The image VAE: forward simulation of alert stamps (numpy alone), training and evaluation (torch)."""
