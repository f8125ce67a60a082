"""From engine outputs to probabilities, p-values, the unknown flag and its reason; pure functions of arrays."""
