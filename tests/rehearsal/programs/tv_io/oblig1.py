"""torchvision.io and v2 transforms, sets by torch.randperm with a generator; saved scores are loaded and compared. All right."""
import glob
import os

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision.io import ImageReadMode, read_image
from torchvision.transforms import v2

data_dir = os.path.join(os.path.expanduser("~"), "Documents", "IN4310", "mandatory1_data")
classes = sorted(os.listdir(data_dir))


class SceneDataset(Dataset):
    def __init__(self, image_paths, transform=None):
        self.image_paths = image_paths
        self.transform = transform

    def __len__(self):
        return len(self.image_paths)

    def __getitem__(self, idx):
        img = read_image(self.image_paths[idx], mode=ImageReadMode.RGB)
        label = classes.index(os.path.basename(os.path.dirname(self.image_paths[idx])))
        return self.transform(img), label


def split(seed=2024):
    paths = sorted(glob.glob(data_dir + "/*/*.jpg"))
    train, val, test = [], [], []
    for c in classes:
        of_class = [p for p in paths if os.path.basename(os.path.dirname(p)) == c]
        g = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(of_class), generator=g).tolist()
        of_class = [of_class[i] for i in order]
        a, b = int(0.6 * len(of_class)), int(0.75 * len(of_class))
        train += of_class[:a]
        val += of_class[a:b]
        test += of_class[b:]
    return train, val, test


@torch.inference_mode()
def predict(net, loader):
    net.eval()
    return torch.cat([net(x).softmax(dim=1) for x, _ in loader])


def main():
    base = [v2.Resize((20, 20), antialias=True), v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.43, 0.45, 0.45], [0.24, 0.24, 0.27])]
    train_tf = v2.Compose([v2.RandomHorizontalFlip(0.5), v2.ColorJitter(0.1), *base])
    val_tf = v2.Compose(base)
    train, val, test = split()
    assert len(set(train) | set(val) | set(test)) == len(train) + len(val) + len(test)
    train_dl = DataLoader(SceneDataset(train, train_tf), batch_size=32, shuffle=True)
    val_dl = DataLoader(SceneDataset(val, val_tf), batch_size=32)
    test_dl = DataLoader(SceneDataset(test, val_tf), batch_size=32)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, len(classes)))
    opt = torch.optim.AdamW(net.parameters(), lr=1e-2)
    best_loss = float("inf")
    for epoch in range(3):
        net.train()
        for x, y in train_dl:
            loss = nn.functional.cross_entropy(net(x), y)
            opt.zero_grad()
            loss.backward()
            opt.step()
        net.eval()
        val_loss = 0.0
        with torch.no_grad():
            for x, y in val_dl:
                val_loss += nn.functional.cross_entropy(net(x), y, reduction="sum").item()
        if val_loss < best_loss:
            best_loss = val_loss
            torch.save(net.state_dict(), "best_model.pt")
    net.load_state_dict(torch.load("best_model.pt", weights_only=True))
    torch.save(predict(net, test_dl), "test_softmax.pt")
    saved = torch.load("test_softmax.pt")
    again = predict(net, test_dl)
    difference = (saved - again).abs().max().item()
    print("largest difference:", difference, "OK" if difference < 1e-4 else "NOT REPRODUCED")


main()
