"""Stands in for safetensors."""
