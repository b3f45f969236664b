from .model import make
