import os

from config import CLASSES, DATA_ROOT, SEED, SIZE
from PIL import Image
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms


class ScenesDataset(Dataset):
    def __init__(self, paths, labels, transform=None):
        self.paths = paths
        self.labels = labels
        self.transform = transform

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        image = Image.open(self.paths[index]).convert("RGB")
        if self.transform:
            image = self.transform(image)
        return image, self.labels[index]


def find_files():
    paths, labels = [], []
    for folder, _, names in sorted(os.walk(DATA_ROOT)):
        for name in sorted(names):
            if name.endswith(".jpg"):
                paths.append(os.path.join(folder, name))
                labels.append(CLASSES.index(os.path.basename(folder)))
    return paths, labels


def make_loaders():
    paths, labels = find_files()
    rest, test, rest_y, test_y = train_test_split(
        paths, labels, test_size=0.2, random_state=SEED, stratify=labels
    )
    train, val, train_y, val_y = train_test_split(
        rest, rest_y, test_size=0.15, random_state=SEED, stratify=rest_y
    )
    assert not set(train) & set(val) | set(train) & set(test) | set(val) & set(test)
    normalise = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    augmented = transforms.Compose(
        [transforms.Resize((SIZE, SIZE)), transforms.RandomHorizontalFlip(), transforms.ToTensor(), normalise]
    )
    plain = transforms.Compose([transforms.Resize((SIZE, SIZE)), transforms.ToTensor(), normalise])
    train_loader = DataLoader(
        ScenesDataset(train, train_y, augmented), batch_size=64, shuffle=True, num_workers=4
    )
    val_loader = DataLoader(ScenesDataset(val, val_y, plain), batch_size=64, num_workers=4)
    test_loader = DataLoader(ScenesDataset(test, test_y, plain), batch_size=64, num_workers=4)
    return train_loader, val_loader, test_loader
