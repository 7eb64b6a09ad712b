"""nasopt: multi-objective search for dynamic neural networks, scored on what they really cost."""
