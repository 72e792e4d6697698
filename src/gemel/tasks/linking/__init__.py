"""Entity linking: the prompt, the demonstrations, the training targets and the metrics."""
