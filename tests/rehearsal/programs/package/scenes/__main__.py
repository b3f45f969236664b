import os, random
import torch
from torch.utils.data import DataLoader
from .model import make
from .dataset import Scenes, split_paths

ROOT = os.getenv("MANDATORY1", "../mandatory1_data")
random.seed(0)
torch.manual_seed(0)


def accuracy(net, dl):
    net.eval()
    right = total = 0
    with torch.no_grad():
        for sample in dl:
            right += (net(sample["image"]).argmax(1) == sample["label"]).sum().item()
            total += len(sample["label"])
    return right / total


def main():
    tr, va, te = split_paths(ROOT)
    dl_tr = DataLoader(Scenes(ROOT, tr, augment=True), 16, True)
    dl_va = DataLoader(Scenes(ROOT, va), 16)
    dl_te = DataLoader(Scenes(ROOT, te), 16)
    results = {}
    for lr in (1e-2, 1e-3, 1e-4):
        net = make()
        opt = torch.optim.Adam(net.parameters(), lr)
        sched = torch.optim.lr_scheduler.StepLR(opt, 2)
        for ep in range(2):
            net.train()
            for sample in dl_tr:
                out = net(sample["image"])
                loss = torch.nn.functional.cross_entropy(out, sample["label"])
                opt.zero_grad(set_to_none=True)
                loss.backward()
                opt.step()
            sched.step()
            acc = accuracy(net, dl_va)
            if acc > results.get("acc", -1):
                results = {"acc": acc, "lr": lr, "weights": {k: v.detach().clone() for k, v in net.state_dict().items()}}
    net.load_state_dict(results["weights"])
    torch.save(results["weights"], "resnet18_best.pth")
    print("test", accuracy(net, dl_te))


main()
