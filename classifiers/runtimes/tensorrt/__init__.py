"""TensorRT and TensorRT for RTX: engines built ahead, kept in a folder and run on a GPU; all but the import shared."""
