import torch
from data import get_loaders
from sklearn.metrics import average_precision_score
from train import build, validate

test_loader = get_loaders("data/scenes")[2]
model = build()
model.load_state_dict(torch.load("checkpoints/best.pth")["model"])
print("accuracy", validate(model, test_loader))
y_true, y_score = [], []
with torch.no_grad():
    for x, y in test_loader:
        y_true.append(y)
        y_score.append(model(x).softmax(1))
y_true, y_score = torch.cat(y_true), torch.cat(y_score)
for c in range(6):
    print(c, average_precision_score((y_true == c).numpy(), y_score[:, c].numpy()))
