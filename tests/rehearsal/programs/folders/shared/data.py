import torch
from torch.utils.data import DataLoader, Subset
from torchvision import datasets, transforms
from sklearn.model_selection import StratifiedKFold

DATA_PATH = "../../data/mandatory1_data"


def get_loaders(bs=32):
    ds = datasets.ImageFolder(DATA_PATH, transforms.Compose([transforms.Resize((32, 32)), transforms.ToTensor()]))
    folds = [test for _, test in StratifiedKFold(6, shuffle=True, random_state=1).split(ds.samples, ds.targets)]
    test, val = folds[0], folds[1]
    train = [i for f in folds[2:] for i in f]
    return DataLoader(Subset(ds, train), bs, shuffle=True), DataLoader(Subset(ds, val), bs), DataLoader(Subset(ds, test), bs)
