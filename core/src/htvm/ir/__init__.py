"""The integer graph: tensors, ops, layouts."""
