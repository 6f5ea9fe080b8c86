"""What bounds each goal of `make bench` that was not met, as `RESULTS.md` found it."""

REASONS = {}
