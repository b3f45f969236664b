"""`python -m in4310`, also as the program that torchrun starts: `torchrun -m in4310 run ...`."""

from in4310.cli import main

main()
