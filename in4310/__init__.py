"""in4310: the scene-classification assignment as executable requirements, judged without trust."""

__version__ = "0.1.0"
