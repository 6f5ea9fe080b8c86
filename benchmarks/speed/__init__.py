"""Contests in speed: ours and its peers, in turn, in one process."""
