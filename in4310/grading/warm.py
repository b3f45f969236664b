"""What every judging process needs, imported once and shared by all that are forked from here."""

import sklearn.metrics  # noqa: F401
import torch  # noqa: F401
import torchvision  # noqa: F401

import in4310.judging.evidence
import in4310.plugin
import in4310.reporting.write  # noqa: F401
