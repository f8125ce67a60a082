"""What a training leaves beside its bundle: a state to resume from, the history of its losses, pictures of both."""
