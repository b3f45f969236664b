"""Lightning with a data module and a callback that keeps the best. All right."""
import pytorch_lightning as pl  # NEEDS pytorch_lightning
import torch
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from torch import nn
from torch.utils.data import DataLoader, random_split
from torchvision import datasets, transforms


class Scenes(pl.LightningDataModule):
    def __init__(self, root="data/mandatory1_data", batch_size=32):
        super().__init__()
        self.root, self.batch_size = root, batch_size

    def setup(self, stage=None):
        tf = transforms.Compose([transforms.Resize((20, 20)), transforms.ToTensor()])
        full = datasets.ImageFolder(self.root, tf)
        self.train_set, self.val_set, self.test_set = random_split(full, [0.7, 0.1, 0.2], torch.Generator().manual_seed(3))

    def train_dataloader(self):
        return DataLoader(self.train_set, self.batch_size, shuffle=True, num_workers=4)

    def val_dataloader(self):
        return DataLoader(self.val_set, self.batch_size, num_workers=4)

    def test_dataloader(self):
        return DataLoader(self.test_set, self.batch_size, num_workers=4)


class Classifier(pl.LightningModule):
    def __init__(self, lr=1e-2):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 6))

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = nn.functional.cross_entropy(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("val_acc", (self(x).argmax(1) == y).float().mean())

    def test_step(self, batch, batch_idx):
        x, y = batch
        self.log("test_acc", (self(x).argmax(1) == y).float().mean())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.hparams.lr)


if __name__ == "__main__":
    pl.seed_everything(1)
    data = Scenes()
    best = ModelCheckpoint(monitor="val_acc", mode="max")
    trainer = pl.Trainer(max_epochs=2, accelerator="gpu", devices=1, callbacks=[best, EarlyStopping("val_acc", mode="max")])
    trainer.fit(Classifier(), data)
    trainer.test(datamodule=data, ckpt_path="best")
