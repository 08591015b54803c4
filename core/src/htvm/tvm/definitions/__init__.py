"""What every op of the integer graph computes, as TVM tensor expressions."""
