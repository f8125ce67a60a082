"""What a person touches: the command line, metrics, health endpoints, and what an operator deploys."""
