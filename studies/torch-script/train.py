"""A small network in torch learns which of two spirals a point is on."""

import argparse
import json
import math

import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=80)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--lr", type=float, default=0.01)
parser.add_argument("--width", type=int, default=16)
parser.add_argument("--optimizer", default="Adam")
given = parser.parse_args()
torch.set_num_threads(1)  # a worker for each core runs beside this one


def spirals(points, generator):
    """Points (2 * points, 2) on two spirals, with noise, and which spiral each is on."""
    turn = torch.rand(points, generator=generator).sqrt() * 3 * math.pi
    one = torch.stack([turn * turn.cos(), turn * turn.sin()], dim=1) / 5
    X = torch.cat([one, -one])
    X += 0.08 * torch.randn(X.shape, generator=generator)
    return X, torch.cat([torch.zeros(points), torch.ones(points)])


X, y = spirals(100, torch.Generator().manual_seed(1))
X_validation, y_validation = spirals(100, torch.Generator().manual_seed(2))

torch.manual_seed(given.seed)
model = nn.Sequential(
    nn.Linear(2, given.width), nn.Tanh(), nn.Linear(given.width, given.width), nn.Tanh(),
    nn.Linear(given.width, 1), nn.Flatten(0),
)  # fmt: skip
loss_of = nn.BCEWithLogitsLoss()
optimizer = getattr(torch.optim, given.optimizer)(model.parameters(), lr=given.lr)
for epoch in range(1, given.epochs + 1):
    for batch in torch.randperm(len(X)).split(50):
        optimizer.zero_grad()
        loss_of(model(X[batch]), y[batch]).backward()
        optimizer.step()
    if epoch % 10 == 0 or epoch == given.epochs:
        with torch.no_grad():
            said = model(X_validation)
            loss = loss_of(said, y_validation).item()
            accuracy = ((said > 0) == y_validation.bool()).float().mean().item()
        print(json.dumps({"step": epoch, "loss": loss, "accuracy": accuracy}), flush=True)
