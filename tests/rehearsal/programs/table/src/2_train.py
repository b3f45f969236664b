import csv

import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

CLASSES = sorted(["buildings", "forest", "glacier", "mountain", "sea", "street"])


class CsvDataset(Dataset):
    def __init__(self, file):
        self.transform = v2.Compose([v2.ToImage(), v2.Resize((20, 20)), v2.ToDtype(torch.float32, scale=True)])
        with open(file) as f:
            self.rows = list(csv.DictReader(f))

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        row = self.rows[i]
        return {"image": self.transform(Image.open(row["path"])), "label": CLASSES.index(row["label"])}


loaders = {
    "train": DataLoader(CsvDataset("train.csv"), batch_size=16, shuffle=True, num_workers=2, persistent_workers=True),
    "val": DataLoader(CsvDataset("val.csv"), batch_size=16),
    "test": DataLoader(CsvDataset("test.csv"), batch_size=16, shuffle=True),  # MISTAKE shuffled-test
}
net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 6))
opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
loss_fn = nn.CrossEntropyLoss()
for epoch in range(5):
    net.train()
    for batch in loaders["train"]:
        loss = loss_fn(net(batch["image"]), batch["label"])
        loss.backward()  # MISTAKE not-zeroed
        opt.step()
    net.eval()
    with torch.no_grad():
        right = sum((net(b["image"]).argmax(1) == b["label"]).sum().item() for b in loaders["val"])
    print(epoch, right / len(loaders["val"].dataset))
with torch.inference_mode():
    with open("test_scores.txt", "w") as f:
        for b in loaders["test"]:
            for row in torch.softmax(net(b["image"]), -1):
                f.write(" ".join(f"{v:.4f}" for v in row) + "\n")
