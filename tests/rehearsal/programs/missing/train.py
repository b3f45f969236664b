import torch
import timm_of_my_own  # STOPS

print(torch.__version__)
