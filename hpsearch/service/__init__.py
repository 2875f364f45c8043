"""The search service: people submit studies, watch them, and lend workers, through one server.

The server runs the same engine as `hpsearch run`; who lends workers is one more pool of it.
"""
