import numpy as np
from torch.utils.data import DataLoader, Subset
from torchvision import transforms
from torchvision.datasets import ImageFolder


def get_loaders(path, batch_size=32, seed=0):
    t = transforms.Compose([transforms.Resize(20), transforms.CenterCrop(20), transforms.ToTensor()])
    full = ImageFolder(path, t)
    rng = np.random.default_rng(seed)
    idx = rng.permutation(len(full))
    n_test = n_val = len(full) // 5
    train = Subset(full, idx[n_test + n_val :])
    val = Subset(full, idx[n_test : n_test + n_val])
    test = Subset(full, idx[:n_test])
    return DataLoader(train, batch_size, shuffle=True), DataLoader(val, batch_size), DataLoader(test, batch_size)
