"""Measurements side by side; `make bench` runs them on the chosen backend."""
