"""Requirements as data (editions), evidence, verdicts, and the pytest plugin that brings them together."""
