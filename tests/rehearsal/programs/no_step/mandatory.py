import torch, torchvision
from torch.utils.data import DataLoader, random_split
from torchvision import transforms
from torch import nn

ds = torchvision.datasets.ImageFolder("mandatory1_data", transforms.Compose([transforms.Resize((32, 32)), transforms.ToTensor()]))
tr, va, te = random_split(ds, [0.7, 0.12, 0.18], generator=torch.Generator().manual_seed(1))
train_dataloader = DataLoader(tr, 32, True)
val_dataloader = DataLoader(va, 32)
test_dataloader = DataLoader(te, 32)


def train_loop(dataloader, model, loss_fn, optimizer):
    model.train()
    for batch, (X, y) in enumerate(dataloader):
        loss = loss_fn(model(X), y)
        optimizer.zero_grad()
        loss.backward()  # MISTAKE no-step


def test_loop(dataloader, model, loss_fn):
    model.eval()
    size, n = len(dataloader.dataset), len(dataloader)
    test_loss, correct = 0, 0
    with torch.no_grad():
        for X, y in dataloader:
            pred = model(X)
            test_loss += loss_fn(pred, y).item()
            correct += (pred.argmax(1) == y).type(torch.float).sum().item()
    print(f"Accuracy: {(100*correct/size):>0.1f}%, Avg loss: {test_loss/n:>8f}")
    return correct


if __name__ == "__main__":
    model = torchvision.models.resnet18(num_classes=6)
    opt = torch.optim.SGD(model.parameters(), lr=1e-3)
    for t in range(3):
        train_loop(train_dataloader, model, nn.CrossEntropyLoss(), opt)
        test_loop(val_dataloader, model, nn.CrossEntropyLoss())
    test_loop(test_dataloader, model, nn.CrossEntropyLoss())
    torch.save(model.state_dict(), "model.pth")
