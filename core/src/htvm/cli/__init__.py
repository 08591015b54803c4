"""The command line. Importing it loads neither TVM, onnx nor numpy."""
