"""Feature maps of five modules; their covariance without the mean taken away, by torch alone."""
import torch
from task1 import get_data
from torchvision.models import resnet18


class Extractor:
    def __init__(self, model, names):
        self.out = {n: [] for n in names}
        for n, m in model.named_modules():
            if n in names:
                m.register_forward_hook(lambda mod, i, o, n=n: self.out[n].append(o.clone()))


model = resnet18(num_classes=6)
model.load_state_dict(torch.load("net.pth"))
model.eval()
ex = Extractor(model, ["conv1", "layer1", "layer2", "layer3", "layer4"])
with torch.no_grad():
    for x, _ in get_data()[2]:
        model(x)
for n, o in ex.out.items():
    maps = torch.cat(o)
    print(f"{n}: {(maps <= 0).sum() / maps.numel():.2%}")
    f = maps.mean(dim=(-2, -1))
    c = f.T @ f / f.shape[0]
    e = torch.linalg.eigvalsh(c)  # MISTAKE not-centred
    print(n, e.flip(0)[:5])
