"""Reports to a service, starts from ImageNet; the plan of the rate moves each batch, and the best weights are an alias."""
import torch
import torch.nn as nn
import wandb
import yaml
from torch.utils.data import DataLoader, random_split
from torch.utils.tensorboard import SummaryWriter
from torchvision import datasets, models
from torchvision.models import ResNet18_Weights

with open("config.yaml") as f:
    cfg = yaml.safe_load(f)
run = wandb.init(project="oblig1", config=cfg)
writer = SummaryWriter("runs/first")
weights = ResNet18_Weights.DEFAULT
preprocess = weights.transforms(crop_size=32, resize_size=32)
data = datasets.ImageFolder(cfg["data_root"], transform=preprocess)
train, val = random_split(data, [0.8, 0.2], torch.Generator().manual_seed(42))
train_loader = DataLoader(train, batch_size=cfg.get("batch", 32), shuffle=True, drop_last=True)
val_loader = DataLoader(val, batch_size=32)
model = models.resnet18(weights=weights)
model.fc = nn.Linear(model.fc.in_features, 6)
for p in model.layer1.parameters():
    p.requires_grad = False
optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=cfg["lr"])
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=5)
best_acc, best_weights = -1, None
for epoch in range(cfg["epochs"]):
    model.train()
    for images, labels in train_loader:
        optimizer.zero_grad()
        loss = nn.CrossEntropyLoss()(model(images), labels)
        loss.backward()
        optimizer.step()
        scheduler.step()  # MISTAKE scheduler-each-batch
        wandb.log({"loss": loss.item()})
    model.eval()
    hits = 0
    with torch.no_grad():
        for images, labels in val_loader:
            hits += (model(images).argmax(1) == labels).sum().item()
    acc = hits / len(val_loader.dataset)
    writer.add_scalar("acc", acc, epoch)
    if acc > best_acc:
        best_acc, best_weights = acc, model.state_dict()
model.load_state_dict(best_weights)  # MISTAKE best-alias
torch.save(model.state_dict(), "best.pth")
wandb.finish()
