"""Exact expectations under the task: edge scores, their limit, the loss and its gradients."""
