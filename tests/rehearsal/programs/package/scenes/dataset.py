from pathlib import Path
import random
import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset


def split_paths(root):
    train, val, test = [], [], []
    for folder in sorted(p for p in Path(root).iterdir() if p.is_dir()):
        files = sorted(folder.glob("*.jpg"))
        random.Random(12).shuffle(files)
        a, b = round(len(files) * .18), round(len(files) * .3)
        test += files[:a]
        val += files[a:b]
        train += files[b:]
    assert set(train).isdisjoint(val) and set(train).isdisjoint(test) and set(val).isdisjoint(test)
    return train, val, test


class Scenes(Dataset):
    names = ["buildings", "forest", "glacier", "mountain", "sea", "street"]

    def __init__(self, root, paths, augment=False):
        self.root, self.paths, self.augment = root, paths, augment

    def __getitem__(self, i):
        im = Image.open(self.paths[i]).convert("RGB").resize((32, 32))
        x = torch.from_numpy(np.array(im)).permute(2, 0, 1).float().div(255)
        if self.augment and random.random() < 0.5:
            x = x.flip(-1)
        return {"image": x, "label": self.names.index(self.paths[i].parent.name), "path": str(self.paths[i])}

    def __len__(self):
        return len(self.paths)
