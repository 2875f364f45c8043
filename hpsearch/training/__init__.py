"""One training: its specification, the jobs that workers do, the diagnosis, the model file.

Import from the modules: a worker needs `jobs` only, which knows neither Optuna nor study files.
"""
