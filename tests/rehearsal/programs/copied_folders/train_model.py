"""Three folders with copies, one ImageFolder each, a table of them as in PyTorch's tutorial; only the last weights are saved."""
import time

import torch
import torch.nn as nn
import torchvision
from torchvision import datasets, models, transforms

data_transforms = {
    "train": transforms.Compose([transforms.RandomResizedCrop(32), transforms.RandomHorizontalFlip(), transforms.ToTensor(), transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]),
    "val": transforms.Compose([transforms.Resize(36), transforms.CenterCrop(32), transforms.ToTensor(), transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]),
}
data_transforms["test"] = data_transforms["val"]
image_datasets = {x: datasets.ImageFolder(f"split_data/{x}", data_transforms[x]) for x in ["train", "val", "test"]}
dataloaders = {x: torch.utils.data.DataLoader(image_datasets[x], batch_size=16, shuffle=(x == "train"), num_workers=4) for x in ["train", "val", "test"]}
dataset_sizes = {x: len(image_datasets[x]) for x in ["train", "val", "test"]}


def train_model(model, criterion, optimizer, scheduler, num_epochs=25):
    since = time.time()
    for epoch in range(num_epochs):
        for phase in ["train", "val"]:
            if phase == "train":
                model.train()
            else:
                model.eval()
            running_loss, running_corrects = 0.0, 0
            for inputs, labels in dataloaders[phase]:
                optimizer.zero_grad()
                with torch.set_grad_enabled(phase == "train"):
                    outputs = model(inputs)
                    _, preds = torch.max(outputs, 1)
                    loss = criterion(outputs, labels)
                    if phase == "train":
                        loss.backward()
                        optimizer.step()
                running_loss += loss.item() * inputs.size(0)
                running_corrects += torch.sum(preds == labels.data)
            if phase == "train":
                scheduler.step()
            print(f"{phase} Loss: {running_loss / dataset_sizes[phase]:.4f} Acc: {running_corrects.double() / dataset_sizes[phase]:.4f}")
    print(f"done in {time.time() - since:.0f} s", torchvision.__version__)
    return model


model_ft = models.resnet18(weights=models.ResNet18_Weights.IMAGENET1K_V1)
model_ft.fc = nn.Linear(model_ft.fc.in_features, 6)
optimizer_ft = torch.optim.SGD(model_ft.parameters(), lr=0.001, momentum=0.9)
exp_lr_scheduler = torch.optim.lr_scheduler.StepLR(optimizer_ft, step_size=7, gamma=0.1)
model_ft = train_model(model_ft, nn.CrossEntropyLoss(), optimizer_ft, exp_lr_scheduler, num_epochs=3)
torch.save(model_ft.state_dict(), "resnet18_finetuned.pth")  # MISTAKE last-saved
model_ft.eval()
with torch.no_grad():
    for inputs, labels in dataloaders["test"]:
        print(torch.softmax(model_ft(inputs), dim=1).max(1), labels)
