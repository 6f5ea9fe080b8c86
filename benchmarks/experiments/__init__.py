"""The experiment of each attention layer: `run(data)` gives its claims.

`data` is the folder that `--data` names, or `None`. An experiment that needs data that
are not there gives its claims with `holds=None`, and says so in `measured`.
"""
