"""Decoding: one message becomes one accepted item or one rejection; pure but for the codec's registry."""
