import matplotlib.pyplot as plt
import numpy as np
import torch
from dataset import make_loaders
from sklearn.decomposition import PCA
from torchvision.models import resnet18

model = resnet18(num_classes=6)
model.load_state_dict(torch.load("best.pth", map_location="cuda:0"))
model.eval()
found = {}
for name in ("layer1", "layer2", "layer3"):
    dict(model.named_modules())[name].register_forward_hook(
        lambda module, inputs, output, name=name: found.setdefault(name, []).append(output.detach())
    )
with torch.no_grad():
    for images, _ in make_loaders()[2]:
        model(images)
for name, outputs in found.items():
    values = torch.cat(outputs)
    print(name, f"{(values <= 0).float().mean() * 100:.2f} % are not positive")
    channels = values.mean((2, 3)).numpy()
    covariance = np.cov(channels, rowvar=False)
    print(name, np.linalg.eigvalsh(covariance)[::-1][:5])
points = PCA(2).fit_transform(channels)
plt.scatter(points[:, 0], points[:, 1])
plt.title("PCA of layer3")
plt.savefig("pca.png")
plt.show()
