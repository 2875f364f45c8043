"""Hyperparameter search for neural networks, from coarse to fine, honestly tested."""
