"""Attacks on Handread by chance: `python -m fuzz pictures --cases 200000 --seed 1`."""
