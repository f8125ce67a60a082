"""Confluent-compatible schema registry: requests and answers as values, and the HTTP edge that carries them."""
