"""Trials in workers: what is done with a job of a function, a program or an estimator.

A worker imports the module that its job names, and of hpsearch little else.
"""
