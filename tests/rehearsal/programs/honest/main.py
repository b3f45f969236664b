import copy

import numpy as np
import torch
from config import CLASSES, EPOCHS, SEED, SETTINGS
from dataset import make_loaders
from sklearn.metrics import accuracy_score, average_precision_score
from torch import nn
from torchvision.models import resnet18

device = torch.device("cuda:0")


def train_epoch(model, loader, criterion, optimizer):
    model.train()
    total = 0.0
    for images, labels in loader:
        images, labels = images.to(device), labels.cuda()
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(images)
    return total / len(loader.dataset)


@torch.no_grad()
def predict(model, loader):
    model.eval()
    scores, labels = [], []
    for images, target in loader:
        scores.append(torch.softmax(model(images.to(device)), dim=1).cpu().numpy())
        labels.append(target.numpy())
    return np.concatenate(scores), np.concatenate(labels)


def measure(scores, labels):
    aps = [average_precision_score(labels == c, scores[:, c]) for c in range(len(CLASSES))]
    return accuracy_score(labels, scores.argmax(1)), float(np.mean(aps))


def main():
    torch.manual_seed(SEED)
    np.random.seed(SEED)
    train_loader, val_loader, test_loader = make_loaders()
    best_map, best_state = -1.0, None
    for setting in SETTINGS:
        model = resnet18(weights=None, num_classes=len(CLASSES)).to(device)
        kind = torch.optim.SGD if setting["name"] == "sgd" else torch.optim.Adam
        optimizer = kind(model.parameters(), lr=setting["lr"])
        for epoch in range(EPOCHS):
            loss = train_epoch(model, train_loader, nn.CrossEntropyLoss(), optimizer)
            accuracy, mean_ap = measure(*predict(model, val_loader))
            print(f"{setting} epoch {epoch}: loss {loss:.3f} accuracy {accuracy:.3f} mAP {mean_ap:.3f}")
            if mean_ap > best_map:
                best_map, best_state = mean_ap, copy.deepcopy(model.state_dict())
    torch.save(best_state, "best.pth")
    model.load_state_dict(best_state)
    scores, labels = predict(model, test_loader)
    np.save("test_scores.npy", scores)
    print("test", measure(scores, labels))


if __name__ == "__main__":
    main()
