import random
from pathlib import Path

from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

ROOT = Path(__file__).parent / "dataset"
CLASSES = ("buildings", "forest", "glacier", "mountain", "sea", "street")


class SceneData(Dataset):
    def __init__(self, files, train=False):
        self.files = files
        t = [transforms.Resize((24, 24))]
        if train:
            t.append(transforms.RandomHorizontalFlip())
        self.transforms = transforms.Compose([*t, transforms.ToTensor(), transforms.Normalize((0.5,) * 3, (0.5,) * 3)])

    def __len__(self):
        return len(self.files)

    def __getitem__(self, i):
        f = self.files[i]
        return {"image": self.transforms(Image.open(f).convert("RGB")), "label": CLASSES.index(f.parent.name), "name": str(f.name)}


def loaders(batch_size=16):
    files = sorted(ROOT.rglob("*.jpg"))
    random.seed(99)
    random.shuffle(files)
    n = len(files)
    parts = files[: n * 6 // 10], files[n * 6 // 10 : n * 8 // 10], files[n * 8 // 10 :]
    assert not set(parts[0]) & set(parts[1]) and not set(parts[0]) & set(parts[2]) and not set(parts[1]) & set(parts[2])
    return [DataLoader(SceneData(p, i == 0), batch_size, shuffle=i == 0) for i, p in enumerate(parts)]
