"""What was handed in: where its pieces are and how to read them safely. Knows file formats only."""
