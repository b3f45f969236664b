"""skorch: a network as an estimator of scikit-learn. All right."""
import numpy as np
import torch
from skorch import NeuralNetClassifier  # NEEDS skorch
from skorch.callbacks import Checkpoint, EpochScoring
from skorch.helper import predefined_split
from sklearn.metrics import average_precision_score
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import Subset
from torchvision import datasets, transforms

tf = transforms.Compose([transforms.Resize((20, 20)), transforms.ToTensor(), transforms.Normalize([0.5] * 3, [0.5] * 3)])
full = datasets.ImageFolder("../data/mandatory1_data", tf)
idx, test_idx = train_test_split(np.arange(len(full)), test_size=0.2, stratify=full.targets, random_state=0)
train_idx, val_idx = train_test_split(idx, test_size=0.2, stratify=np.array(full.targets)[idx], random_state=0)
train, val, test = (Subset(full, i) for i in (train_idx, val_idx, test_idx))


class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3)
        self.fc = nn.Linear(width, 6)

    def forward(self, x):
        return self.fc(self.conv(x).relu().mean((2, 3)))


net = NeuralNetClassifier(
    Net,
    criterion=nn.CrossEntropyLoss,
    optimizer=torch.optim.Adam,
    lr=0.01,
    max_epochs=2,
    batch_size=32,
    iterator_train__shuffle=True,
    train_split=predefined_split(val),
    callbacks=[Checkpoint(monitor="valid_acc_best", dirname="ckpt")],
    device="cuda",
)
net.fit(train, y=np.array(full.targets)[train_idx])
scores = net.predict_proba(test)
labels = np.array([y for _, y in test])
print([average_precision_score(labels == c, scores[:, c]) for c in range(6)])
np.save("scores.npy", scores)
