from pathlib import Path

DATA_ROOT = Path("/itf-fi-ml/shared/courses/IN3310") / "mandatory1_data"
SEED = 12
SIZE = 32
EPOCHS = 4
SETTINGS = [{"name": "sgd", "lr": 0.01}, {"name": "adam", "lr": 0.001}, {"name": "adam", "lr": 0.0001}]
CLASSES = ["buildings", "forest", "glacier", "mountain", "sea", "street"]
