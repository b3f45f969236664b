import os
import random
import shutil

SRC = "/mnt/e/School/IN3310/mandatory1_data"
DST = "split_data"

random.seed(10)
for cls in sorted(os.listdir(SRC)):
    images = sorted(os.listdir(os.path.join(SRC, cls)))
    random.shuffle(images)
    n_train, n_val = int(0.7 * len(images)), int(0.1 * len(images))
    parts = {"train": images[:n_train], "val": images[n_train : n_train + n_val], "test": images[n_train + n_val :]}
    for part, names in parts.items():
        os.makedirs(os.path.join(DST, part, cls), exist_ok=True)
        for name in names:
            shutil.copy(os.path.join(SRC, cls, name), os.path.join(DST, part, cls, name))
