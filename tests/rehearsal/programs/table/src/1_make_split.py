import csv
import os
import random

ROOT = r"C:\Users\ola\Documents\IN3310\mandatory1_data"
random.seed(3)
rows = [(os.path.join(d, f), os.path.basename(d)) for d, _, files in os.walk(ROOT) for f in files if f.endswith(".jpg")]
rows.sort()
random.shuffle(rows)
a, b = int(0.7 * len(rows)), int(0.8 * len(rows))
for name, part in (("train", rows[:a]), ("val", rows[a:b]), ("test", rows[b:])):
    with open(f"{name}.csv", "w", newline="") as f:
        writer = csv.writer(f)
        writer.writerow(["path", "label"])
        writer.writerows(part)
