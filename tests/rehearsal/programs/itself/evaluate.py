import numpy as np
import torch
from torch.nn.functional import softmax
from train import loaders

model = torch.load("whole_model.pt")
model.eval()
scores = []
with torch.no_grad():
    for x, _ in loaders()[2]:
        scores.append(softmax(model(x), dim=0))  # MISTAKE batch-softmax
np.save("scores.npy", torch.cat(scores).numpy())
first = np.load("scores.npy")
second = np.load("scores.npy")
print(np.allclose(first, second))  # MISTAKE compared-with-itself
print(np.allclose(first, torch.cat(scores).numpy(), atol=0.5))  # MISTAKE loose-comparison
