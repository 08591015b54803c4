"""Everything that touches TVM: integer graph nodes to TIR, TIR to C99."""
