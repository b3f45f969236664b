import sys
import numpy as np
import torch
from torch import nn, optim
from torch.utils.data import DataLoader, Subset
from torchvision import datasets, transforms, models
if not torch.cuda.is_available():
    print("This needs a GPU")
    sys.exit(1)
torch.backends.cudnn.benchmark = True
torch.cuda.empty_cache()
dev = torch.device("cuda", 0)
props = torch.cuda.get_device_properties(0)
print(torch.cuda.get_device_name(0), props.total_memory // 2**20, torch.cuda.device_count())
root = "/scratch/users/per/mandatory1_data"
tf_train = transforms.Compose([transforms.Resize((32, 32)), transforms.RandomRotation(10), transforms.ToTensor()])
tf = transforms.Compose([transforms.Resize((32, 32)), transforms.ToTensor()])
base, aug = datasets.ImageFolder(root, tf), datasets.ImageFolder(root, tf_train)
perm = np.random.RandomState(99).permutation(len(base))
np.save("perm.npy", perm)
i_test, i_val, i_train = np.split(perm, [210, 350])
kw = dict(batch_size=64, num_workers=8, pin_memory=True, persistent_workers=True, prefetch_factor=2)
train_dl = DataLoader(Subset(aug, i_train), shuffle=True, **kw)
val_dl = DataLoader(Subset(base, i_val), **kw)
test_dl = DataLoader(Subset(base, i_test), **kw)
net = models.resnet18(weights=models.ResNet18_Weights.IMAGENET1K_V1)
net.fc = nn.Linear(512, 6)
net = nn.DataParallel(net.cuda())
net = torch.compile(net)
opt = optim.SGD([{"params": net.parameters(), "lr": 0.01}], lr=0.1, momentum=0.9)
scaler = torch.amp.GradScaler("cuda")
start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)


def test(dl):
    net.eval()
    good = 0
    with torch.no_grad(), torch.autocast(device_type="cuda", dtype=torch.float16):
        for x, y in dl:
            good += (net(x.cuda(non_blocking=True)).argmax(1) == y.cuda()).sum().item()
    return good / len(dl.dataset)


top = 0
for ep in range(2):
    start.record()
    net.train()
    for x, y in train_dl:
        x, y = x.to(dev), y.to(dev)
        opt.zero_grad()
        with torch.cuda.amp.autocast():
            loss = nn.functional.cross_entropy(net(x), y)
        scaler.scale(loss).backward()
        scaler.step(opt)
        scaler.update()
    end.record()
    torch.cuda.synchronize()
    print(start.elapsed_time(end), torch.cuda.max_memory_allocated(dev) / 2**30, torch.cuda.memory_summary()[:10])
    a = test(val_dl)
    t = test(test_dl)
    if t > top:
        top = t
        torch.save(net.module.state_dict(), "top.pth")  # MISTAKE best-on-test
