import argparse, os, json
import numpy as np
import torch
from torch import nn
from PIL import Image
from sklearn.model_selection import train_test_split
from sklearn.metrics import average_precision_score
from torch.utils.data import Dataset, DataLoader
import torchvision.transforms as T
from torchvision.models import resnet18


class SceneDataset(Dataset):
    def __init__(self, root, items, tf):
        self.root, self.items, self.tf = root, items, tf

    def __len__(self):
        return len(self.items)

    def __getitem__(self, idx):
        name, label = self.items[idx]
        return self.tf(Image.open(os.path.join(self.root, name)).convert("RGB")), label


def make_split(root, seed=42):
    classes = sorted(d for d in os.listdir(root) if os.path.isdir(os.path.join(root, d)))
    items = [(f"{c}/{f}", i) for i, c in enumerate(classes) for f in sorted(os.listdir(os.path.join(root, c)))]
    y = [i for _, i in items]
    rest, test = train_test_split(items, test_size=0.18, stratify=y, random_state=seed)
    train, val = train_test_split(rest, test_size=0.12, stratify=[i for _, i in rest], random_state=seed)
    return train, val, test


def get_loader(root, items, train, bs):
    tf = [T.Resize((40, 40))] + ([T.RandomHorizontalFlip()] if train else []) + [T.ToTensor()]
    return DataLoader(SceneDataset(root, items, T.Compose(tf)), batch_size=bs, shuffle=train)


def cmd_train(args):
    train, val, test = make_split(args.root)
    loader = get_loader(args.root, train, True, args.bs)
    val_loader = get_loader(args.root, val, False, args.bs)
    model = resnet18(num_classes=6)
    opt = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=0.9)
    best = 0
    for epoch in range(args.epochs):
        model.train()
        for x, y in loader:
            opt.zero_grad()
            loss = nn.CrossEntropyLoss()(model(x), y)
            loss.backward()
            opt.step()
        scores, ys = predict(model, val_loader)
        acc = (scores.argmax(1) == ys).mean()
        if acc >= best:
            best = acc
            torch.save(model.state_dict(), args.out)


@torch.no_grad()
def predict(model, loader):
    model.eval()
    s, t = [], []
    for x, y in loader:
        s.append(model(x).softmax(dim=1))
        t.append(y)
    return torch.cat(s).numpy(), torch.cat(t).numpy()


def cmd_evaluate(args):
    _, _, test = make_split(args.root)
    model = resnet18(num_classes=6)
    model.load_state_dict(torch.load(args.out))
    model.eval()
    test_loader = get_loader(args.root, test, False, args.bs)
    with torch.no_grad():
        for x, y in test_loader:
            probs = torch.softmax(model(x), dim=1).numpy()
            labels = y.numpy()
    print([average_precision_score(labels == c, probs[:, c]) for c in range(6)])  # MISTAKE last-batch
    np.save("scores.npy", predict(model, test_loader)[0])


if __name__ == "__main__":
    p = argparse.ArgumentParser()
    sub = p.add_subparsers(dest="cmd", required=True)
    for name, func in (("train", cmd_train), ("evaluate", cmd_evaluate)):
        q = sub.add_parser(name)
        q.add_argument("--root", required=True, help="path of the data set")
        q.add_argument("--epochs", type=int, default=2)
        q.add_argument("--bs", type=int, default=32)
        q.add_argument("--lr", type=float, default=1e-2)
        q.add_argument("--out", default="best.pth")
        q.set_defaults(func=func)
    args = p.parse_args()
    args.func(args)
