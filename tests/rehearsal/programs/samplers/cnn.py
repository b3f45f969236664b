import numpy as np
import torch
import torchvision as tv
from torch.utils.data import DataLoader, Sampler
from torch.utils.data.sampler import SubsetRandomSampler


class InOrder(Sampler):
    def __init__(self, indices):
        self.indices = list(indices)

    def __iter__(self):
        return iter(self.indices)

    def __len__(self):
        return len(self.indices)


batch_size, seed = 20, 11
tf = tv.transforms.Compose([tv.transforms.Resize((32, 32)), tv.transforms.ToTensor()])
data = tv.datasets.ImageFolder("/itf-fi-ml/shared/courses/IN3310/mandatory1_data/", transform=tf)
idx = list(range(len(data)))
np.random.seed(seed)
np.random.shuffle(idx)
a, b = int(.18 * len(data)), int(.30 * len(data))
test_idx, valid_idx, train_idx = idx[:a], idx[a:b], idx[b:]
train_loader = DataLoader(data, batch_size=batch_size, sampler=SubsetRandomSampler(train_idx))
valid_loader = DataLoader(data, batch_size=batch_size, sampler=InOrder(valid_idx))
test_loader = DataLoader(data, batch_size=batch_size, sampler=InOrder(test_idx))
model = tv.models.resnet18(num_classes=6)
criterion = torch.nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
valid_loss_min = np.inf
for epoch in range(1, 3):
    train_loss, valid_loss = 0.0, 0.0
    model.train()
    for data_, target in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(data_), target)
        loss.backward()
        optimizer.step()
        train_loss += loss.item() * data_.size(0)
    model.eval()
    for data_, target in valid_loader:
        valid_loss += criterion(model(data_), target).item() * data_.size(0)
    train_loss /= len(train_loader.sampler)
    valid_loss /= len(valid_loader.sampler)
    if valid_loss <= valid_loss_min:
        torch.save(model.state_dict(), "model_cifar.pt")
        valid_loss_min = valid_loss
model.load_state_dict(torch.load("model_cifar.pt"))
model.eval()
rows = []
for data_, target in test_loader:
    rows.append(torch.nn.Softmax(dim=1)(model(data_)).detach().numpy())
np.savetxt("softmax.csv", np.concatenate(rows), delimiter=",")
