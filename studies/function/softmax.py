"""Softmax regression by gradient descent; one that was killed goes on from its last epoch."""

import numpy as np
from sklearn.datasets import load_digits

ROWS = 1200
"""So many train, and the other 597 tell how well."""


def objective(configuration, trial):
    """The log loss on rows that it was not trained on; `trial` is described in the guide."""
    X, y = load_digits(return_X_y=True)
    X = np.c_[X / 16, np.ones(len(X))]
    rows = np.random.default_rng(0).permutation(len(X))  # the same for every trial
    train, rest = rows[:ROWS], rows[ROWS:]
    rate, momentum = configuration["learning_rate"], configuration["momentum"]
    W, velocity, losses = np.zeros((X.shape[1], 10)), np.zeros((X.shape[1], 10)), []

    checkpoint = trial.folder / "state.npz"
    if checkpoint.exists():
        with np.load(checkpoint) as state:
            W, velocity, losses = state["W"], state["velocity"], list(state["losses"])
        for step, loss in enumerate(losses, start=1):  # what the attempt before has told
            trial.report(step, loss)

    for epoch in range(len(losses), trial.resource):
        # A generator for each epoch, so that the attempt after a kill draws the same.
        order = np.random.default_rng([trial.seed, epoch]).permutation(train)
        for start in range(0, ROWS, configuration["batch"]):
            batch = order[start : start + configuration["batch"]]
            error = probabilities(X[batch] @ W)
            error[np.arange(len(batch)), y[batch]] -= 1
            gradient = X[batch].T @ error / len(batch) + configuration["l2"] * W
            velocity = momentum * velocity - rate * gradient
            W = W + velocity
        said = probabilities(X[rest] @ W)
        right = said[np.arange(len(rest)), y[rest]]
        losses.append(-np.log(np.maximum(right, 1e-12)).mean())
        save(checkpoint, W=W, velocity=velocity, losses=losses)
        if trial.report(epoch + 1, losses[-1]):  # nobody waits for it any more
            break
    accuracy = np.mean((X[rest] @ W).argmax(axis=1) == y[rest])
    return {"log_loss": losses[-1], "accuracy": accuracy}


def probabilities(scores):
    """Of each class, for rows of scores."""
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def save(path, **state):
    """Replace a checkpoint at once, so that a kill leaves the old one or the new one whole."""
    new = path.with_name("new.npz")
    np.savez(new, **state)
    new.replace(path)
