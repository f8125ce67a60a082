"""The torch modules that are trained and exported."""
